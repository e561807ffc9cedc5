"""Grids of patches."""

import numpy as np

from tf_msgan.io.volumes import Shape


def grid_starts(size: int, patch: int, stride: int) -> list[int]:
    """Returns the first voxels of patches that cover an axis of `size` voxels; the last patch ends where the axis ends.

    An axis shorter than the patch gives `[0]`: the patch is then as long as the axis.
    """
    if size <= patch:
        return [0]
    return [*range(0, size - patch, stride), size - patch]


def grid_slices(shape: Shape, patch: Shape, stride: Shape) -> list[tuple[slice, ...]]:
    """Returns the patches that together cover a volume of `shape`; each is `patch` voxels a
    side, or the volume's if that is less.

    Raises:
        ValueError: `stride` is not within 1..`patch` along every axis.
    """
    if any(not 0 < s <= p for s, p in zip(stride, patch, strict=True)):
        raise ValueError(f"stride must be in 1..patch; received stride={stride}, patch={patch}")
    starts = [grid_starts(*axis) for axis in zip(shape, patch, stride, strict=True)]
    return [
        tuple(slice(start, start + min(p, n)) for start, p, n in zip(corner, patch, shape, strict=True))
        for corner in np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3).tolist()
    ]
