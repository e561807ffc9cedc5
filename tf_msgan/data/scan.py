"""Scans in memory, as the networks see them."""

from dataclasses import dataclass

import numpy as np

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.data.cohort import Cohort, read_images, read_labels
from tf_msgan.data.geometry import NetworkGrid
from tf_msgan.data.labels import IGNORE
from tf_msgan.data.normalise import normalise
from tf_msgan.data.raw_image import network_grid, take_image
from tf_msgan.errors import InputError


@dataclass(frozen=True)
class Scan:
    """One subject in memory, on its `NetworkGrid`.

    Attributes:
        masked: `(i, j, k, modality + 1)` float32 of `tf_msgan.data.normalise`: image × mask, and the mask.
        labels: `(i, j, k)` uint8 classes, or None.
        foreground: `(i, j, k)` bool, where patches are centred: the brain, as far as it is known.
        spacing: mm.
    """

    id: str
    masked: np.ndarray
    labels: np.ndarray | None
    foreground: np.ndarray
    spacing: tuple[float, float, float]

    @property
    def image(self) -> np.ndarray:
        """`(i, j, k, modality)`, 0 outside the mask."""
        return self.masked[..., :-1]

    @property
    def mask(self) -> np.ndarray:
        """`(i, j, k)` bool."""
        return self.masked[..., -1] > 0


def load_scan(cohort: Cohort, subject_id: str, with_labels: bool, preparation: Preparation = STRIPPED) -> Scan:
    """Reads, checks and prepares one subject. No statistic passes from one subject to another.

    Raises:
        InputError: a file is missing or wrong, the modalities do not share a grid, or resampling leaves no label.
    """
    volumes = read_images(cohort.subjects[subject_id].images)
    grid = network_grid(volumes, preparation)
    labels = _take_labels(cohort, subject_id, volumes, grid) if with_labels else None
    return make_scan(subject_id, take_image(volumes, grid, preparation), labels, grid, preparation)


def _take_labels(cohort, id, volumes, grid):
    labels = grid.take(read_labels(cohort, id, volumes), order=0)
    if not _tissue(labels).any():
        spacing = " × ".join(f"{mm:.3g}" for mm in grid.spacing)
        raise InputError(cohort.subjects[id].label, f"no labelled voxel left at {spacing} mm", "a finer --resample")
    return labels


def make_scan(id: str, raw: np.ndarray, labels: np.ndarray | None, grid: NetworkGrid, preparation: Preparation) -> Scan:
    """`load_scan` of `take_image`'s image and of labels on its grid, for whoever needs the image too."""
    masked = normalise(raw, preparation).numpy()
    return Scan(id, masked, labels, _foreground(raw, masked[..., -1] > 0, labels, preparation), grid.spacing)


def _foreground(raw, mask, labels, preparation):
    if preparation.crop == "brain":
        return mask
    if labels is not None:
        return _tissue(labels)
    # Of a head without labels, all that is brighter than its mean: not the air around it.
    first = raw[..., int(np.argmax(raw.any(axis=(0, 1, 2))))]
    return mask & (first > first[mask].mean(dtype=np.float64))


def _tissue(labels):
    return (labels > 0) & (labels != IGNORE)
