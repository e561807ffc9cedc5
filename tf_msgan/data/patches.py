"""Patches of a volume: the sampler that cuts a grid of them, and the aggregator that puts them together again."""

import numpy as np


def grid_starts(size: int, patch: int, stride: int) -> list[int]:
    """First voxels of patches that cover an axis of `size` voxels; the last patch ends where the axis ends.

    An axis shorter than the patch gives `[0]`: the patch is then as long as the axis.
    """
    if size <= patch:
        return [0]
    return [*range(0, size - patch, stride), size - patch]


def grid_slices(shape, patch, stride) -> list[tuple[slice, slice, slice]]:
    """Patches that together cover a volume of `shape`; each is `patch` voxels a side, or the volume's if that is less.

    `patch` and `stride` are triples of voxels, with stride ≤ patch.
    """
    if any(not 0 < s <= p for s, p in zip(stride, patch, strict=True)):
        raise ValueError(f"stride must be in 1..patch; received stride={stride}, patch={patch}")
    starts = [grid_starts(*axis) for axis in zip(shape, patch, stride, strict=True)]
    return [
        tuple(slice(start, start + min(p, n)) for start, p, n in zip(corner, patch, shape, strict=True))
        for corner in np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3).tolist()
    ]


def gaussian_weights(patch) -> np.ndarray:
    """Returns `patch`-shaped float32 weights in (0, 1]: a Gaussian of σ = patch / 8, at least 1e-3 of its peak.

    A voxel near a patch's border was seen with less around it, and counts less (as in nnU-Net).
    """
    axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in patch]
    weights = axes[0][:, None, None] * axes[1][:, None] * axes[2]
    return np.maximum(weights / weights.max(), 1e-3).astype(np.float32)


class Aggregator:
    """Averages overlapping patches of a map over a volume, with Gaussian weights.

    Args:
        shape: of the volume, voxels.
        channels: of the map.
    """

    def __init__(self, shape, channels: int):
        self._sum = np.zeros((*shape, channels), np.float32)
        self._weight = np.zeros((*shape, 1), np.float32)

    def add(self, where: tuple[slice, slice, slice], patch: np.ndarray):
        """Adds a `(i, j, k, channel)` patch at the slices `where`."""
        weights = gaussian_weights(patch.shape[:3])[..., None]
        self._sum[where] += weights * patch
        self._weight[where] += weights

    def average(self) -> np.ndarray:
        """Returns the `(i, j, k, channel)` float32 mean.

        Raises:
            ValueError: some voxel was covered by no patch.
        """
        if not self._weight.all():
            raise ValueError(f"{np.count_nonzero(self._weight == 0)} voxels were covered by no patch")
        return self._sum / self._weight
