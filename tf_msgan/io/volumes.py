"""Volumes in memory.

A volume is an array `(i, j, k)` with the affine that takes voxel indices to RAS mm.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from tf_msgan.errors import InputError

# `(i, j, k)` in voxels.
Shape = tuple[int, int, int]
# mm along i, j, k.
Spacing = tuple[float, float, float]

# ALBERT's T1 and T2 share their voxels, but their headers' origins differ by up to 0.43 mm, half a voxel.
GRID_TOLERANCE_VOXELS = 1.0


@dataclass(frozen=True)
class Volume:
    """An image in memory.

    Attributes:
        data: `(i, j, k)`.
        affine: `(4, 4)` float64, voxel → RAS mm.
        path: where it came from, or what it is called.
        header: of a NIfTI file, whose qform, sform and units go to what is written on its grid.
    """

    data: np.ndarray
    affine: np.ndarray
    path: Path
    header: nib.Nifti1Header | None = None

    @property
    def spacing(self) -> Spacing:
        """Voxel size in mm along i, j, k."""
        return tuple(nib.affines.voxel_sizes(self.affine).tolist())

    @property
    def voxel_ml(self) -> float:
        """The volume of a voxel in mL: less than its sides' product where they are not at right angles."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000


def corners_apart(shape: Shape, affine: np.ndarray, other: np.ndarray) -> float:
    """How far, in mm, two affines put some corner of a volume of `shape` apart."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1)
    there, elsewhere = (nib.affines.apply_affine(a, corners) for a in (affine, other))
    return float(np.linalg.norm(there - elsewhere, axis=1).max())


def check_same_grid(volume: Volume, reference: Volume) -> None:
    """Refuses a volume that does not lie voxel on voxel over `reference`.

    Raises:
        InputError: its shape is another, or its affine puts a corner elsewhere.
    """
    if volume.data.shape != reference.data.shape:
        raise InputError(volume.path, f"shape {volume.data.shape}", f"{reference.data.shape} as in {reference.path}")
    apart = corners_apart(reference.data.shape, volume.affine, reference.affine)
    if not apart <= GRID_TOLERANCE_VOXELS * min(reference.spacing):
        raise InputError(
            volume.path, f"an affine whose corners lie {apart:.2f} mm away", f"the affine of {reference.path}"
        )
