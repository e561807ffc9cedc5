"""Subjects on disk, and their scans in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tf_msgan.data.labels import LabelTable
from tf_msgan.data.volumes import Volume, check_same_grid, read_codes, read_image
from tf_msgan.errors import InputError

# Outliers are cut at this many standard deviations, so that a bright vessel cannot rule a patch.
CLIP = 5.0


@dataclass(frozen=True)
class Subject:
    """Files of one subject: `images`, one a modality, in the cohort's order; `label` is None where there is none."""

    id: str
    images: tuple[Path, ...]
    label: Path | None


@dataclass(frozen=True)
class Cohort:
    """What a layout found in a folder. `subjects` goes by id."""

    layout: str
    root: Path
    modalities: tuple[str, ...]
    labels: LabelTable
    subjects: dict[str, Subject]


@dataclass(frozen=True)
class Scan:
    """One subject in memory.

    Attributes:
        image: `(i, j, k, modality)` float32, z-scored inside the brain, 0 outside.
        brain: `(i, j, k)` bool.
        labels: `(i, j, k)` uint8 classes, or None.
        affine: `(4, 4)` float64, voxel → RAS mm.
        spacing: mm.
    """

    id: str
    image: np.ndarray
    brain: np.ndarray
    labels: np.ndarray | None
    affine: np.ndarray
    spacing: tuple[float, float, float]

    def masked(self) -> np.ndarray:
        """Returns `(i, j, k, modality + 1)` float32: the image, and the brain mask as its last channel."""
        return np.concatenate([self.image, self.brain[..., None]], axis=-1, dtype=np.float32)


def read_images(paths) -> list[Volume]:
    """Reads the modalities of one scan, intensities as they are.

    Raises:
        InputError: a file is missing or wrong, one has no contrast where the first is not 0, or they do not share a
            grid.
    """
    volumes = [read_image(path) for path in paths]
    for volume in volumes[1:]:
        check_same_grid(volume, volumes[0])
    brain = volumes[0].data != 0
    if not brain.any():
        raise InputError(volumes[0].path, "only zeros", "a skull-stripped scan, non-zero in the brain")
    for volume in volumes:
        inside = volume.data[brain]
        if inside.min() == inside.max():
            raise InputError(volume.path, f"the constant {inside[0]:g} all over the brain", "a scan with contrast")
    return volumes


def stack_images(volumes: list[Volume]) -> np.ndarray:
    """The raw `(i, j, k, modality)` float32 image of `read_images`."""
    return np.stack([volume.data for volume in volumes], axis=-1)


def load_scan(cohort: Cohort, subject_id: str, with_labels: bool) -> Scan:
    """Reads, checks and z-scores one subject.

    The brain is where the first modality is not 0: the layouts read here hold skull-stripped scans. Mean and standard
    deviation are the scan's own, so no statistic passes from one subject to another.

    Raises:
        InputError: a file is missing or wrong, or the modalities do not share a grid.
    """
    return make_scan(cohort, subject_id, read_images(cohort.subjects[subject_id].images), with_labels)


def make_scan(cohort: Cohort, subject_id: str, volumes: list[Volume], with_labels: bool) -> Scan:
    """`load_scan` of `read_images`'s volumes, for whoever needs these too."""
    subject = cohort.subjects[subject_id]
    brain = volumes[0].data != 0
    labels = None
    if with_labels:
        if subject.label is None:
            raise InputError(cohort.root, f"no label map for subject {subject_id}", "one, for its role in the split")
        codes = read_codes(subject.label)
        check_same_grid(codes, volumes[0])
        labels = cohort.labels.encode(codes, brain)

    image = np.stack([z_score(volume, brain) for volume in volumes], axis=-1)
    return Scan(subject_id, image, brain, labels, volumes[0].affine, volumes[0].spacing)


def z_score(volume, brain):
    """Returns float32 `(i, j, k)`: mean 0 and standard deviation 1 over `brain`, cut at ±`CLIP`, and 0 outside."""
    inside = volume.data[brain].astype(np.float64)
    out = np.zeros(volume.data.shape, np.float32)
    out[brain] = np.clip((inside - inside.mean()) / inside.std(), -CLIP, CLIP)
    return out
