"""Scans in memory, as the networks see them."""

from dataclasses import dataclass

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.io.volumes import Spacing
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.preprocessing.normalisation import normalise
from tf_msgan.preprocessing.reserved_values import IGNORE


@dataclass(frozen=True)
class Scan:
    """One subject in memory, on its `NetworkGrid`.

    Attributes:
        masked: `(i, j, k, modality + 1)` float32 of `tf_msgan.preprocessing.normalisation`: image × mask, and the mask.
        labels: `(i, j, k)` uint8 classes, or None.
        foreground: `(i, j, k)` bool, where patches are centred: the brain, as far as it is known.
        spacing: mm of the voxels along i, j, k.
    """

    id: str
    masked: np.ndarray
    labels: np.ndarray | None
    foreground: np.ndarray
    spacing: Spacing

    @property
    def image(self) -> np.ndarray:
        """`(i, j, k, modality)`, 0 outside the mask."""
        return self.masked[..., :-1]

    @property
    def mask(self) -> np.ndarray:
        """`(i, j, k)` bool."""
        return self.masked[..., -1] > 0


def make_scan(
    subject_id: str, raw: np.ndarray, labels: np.ndarray | None, grid: NetworkGrid, preparation: Preparation
) -> Scan:
    """Makes the scan of `take_image`'s raw image and of its labels, `(i, j, k)` uint8 classes on the same grid."""
    masked = normalise(raw, preparation).numpy()
    foreground = _foreground(raw, masked[..., -1] > 0, labels, preparation)
    return Scan(subject_id, masked, labels, foreground, grid.spacing)


def _foreground(raw: np.ndarray, mask: np.ndarray, labels: np.ndarray | None, preparation: Preparation) -> np.ndarray:
    if preparation.crop == "brain":
        return mask
    if labels is not None:
        return tissue_mask(labels)
    # All that is brighter than the mean of a head without labels: not the air around it.
    first = raw[..., int(np.argmax(raw.any(axis=(0, 1, 2))))]
    return mask & (first > first[mask].mean(dtype=np.float64))


def tissue_mask(labels: np.ndarray) -> np.ndarray:
    """Where `labels` are a tissue, neither background nor `IGNORE`; bool of their shape."""
    return (labels > 0) & (labels != IGNORE)
