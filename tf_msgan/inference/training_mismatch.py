"""Scans that a model can segment, but hardly well."""

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.datasets.examine import VOXEL_VOLUME_RATIO
from tf_msgan.io.images import reference_of
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.raw_image import network_grid

# Voxels of equal volume mismatch too if a side is so many times as long, or as short.
VOXEL_SIDE_RATIO = 1.5
# A skull-stripped scan is 0 around the brain.
LEAST_EMPTY = 0.05


def find_mismatches(volumes: list[Volume | None], preparation: Preparation) -> list[str]:
    """Returns what sets `read_images`'s volumes apart from the scans that a model of this preparation learned from, a
    line each: voxels of another size or form, and background that is not 0 where brain alone was."""
    found = []
    spacing = network_grid(volumes, preparation).spacing
    longer = np.array(spacing) / np.array(preparation.spacing)
    if _factors(longer).max() > VOXEL_SIDE_RATIO or _factors(longer.prod()) > VOXEL_VOLUME_RATIO:
        sizes = ["×".join(f"{mm:.3g}" for mm in each) for each in (spacing, preparation.spacing)]
        found.append(f"voxels of {sizes[0]} mm, the model learned from {sizes[1]} mm; --resample in training helps")
    empty = np.mean(reference_of(volumes).data == 0)
    if preparation.crop == "brain" and empty < LEAST_EMPTY:
        found.append(f"{empty:.1%} of it is 0, the model learned from skull-stripped scans; is the background 0?")
    return found


def _factors(ratios: np.ndarray) -> np.ndarray:
    """Takes ratios below 1 to their inverse."""
    return np.maximum(ratios, 1 / ratios)
