"""Distances between the surfaces of two masks, in mm."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects


class SurfaceDistances(NamedTuple):
    """Attributes, all in mm:

    hd95: 95th percentile of the distances of both surfaces' voxels to the other surface, pooled (as MedPy's `hd95`).
    mhd: modified Hausdorff distance, the larger of the two mean distances (Dubuisson & Jain 1994, eq. 24).
    asd: average symmetric surface distance, the mean of both surfaces' distances, pooled (as MedPy's `assd`).
    """

    hd95: float
    mhd: float
    asd: float


def surface_distances(truth: np.ndarray, prediction: np.ndarray, spacing: Sequence[float]) -> SurfaceDistances:
    """Returns the distances between the surfaces of two `(i, j, k)` bool masks with voxels of `spacing` mm.

    A surface is the voxels of a mask that are no longer there when it is eroded by its six neighbours; beyond the
    volume lies nothing. Two empty masks are 0 mm apart; an empty and another are a failure, and as far apart as two
    voxels of the volume can be: the length of its diagonal. Nothing is NaN.
    """
    if not truth.any() and not prediction.any():
        return SurfaceDistances(hd95=0.0, mhd=0.0, asd=0.0)
    if not truth.any() or not prediction.any():
        diagonal = float(np.linalg.norm((np.array(truth.shape) - 1) * spacing))
        return SurfaceDistances(hd95=diagonal, mhd=diagonal, asd=diagonal)
    # All surface voxels lie in the box of both masks, and so do the nearest ones to each.
    (box,) = find_objects((truth | prediction).astype(np.uint8))
    surfaces = [_surface(mask[box]) for mask in (truth, prediction)]
    directed = [distance_transform_edt(~other, sampling=spacing)[one] for one, other in (surfaces, reversed(surfaces))]
    pooled = np.concatenate(directed)
    return SurfaceDistances(
        hd95=float(np.percentile(pooled, 95)),
        mhd=max(float(distances.mean()) for distances in directed),
        asd=float(pooled.mean()),
    )


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~binary_erosion(mask)
