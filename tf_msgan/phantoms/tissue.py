"""Tissues, their shares of the brain and their averages over larger voxels."""

import numpy as np

from tf_msgan.io.volumes import Shape

CSF, GM, WM = 1, 2, 3


def offsets_for_shares(score: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Finds the `(3,)` float32 offsets that make each row of `(3, n)` scores the largest in its share of columns."""
    offsets = np.zeros(3, np.float32)
    for _ in range(60):
        found = np.bincount(np.argmax(score + offsets[:, None], axis=0), minlength=3) / score.shape[1]
        offsets += np.float32(0.7) * np.log(shares / np.maximum(found, 1e-3)).astype(np.float32)
    return offsets


def block_mean(volumes: np.ndarray, factors: Shape) -> np.ndarray:
    """Averages `(c, i, j, k)` over blocks of `factors` voxels along i, j, k."""
    if factors == (1, 1, 1):
        return volumes
    c, *shape = volumes.shape
    blocks = [size for n, factor in zip(shape, factors, strict=True) for size in (n // factor, factor)]
    return volumes.reshape(c, *blocks).mean(axis=(2, 4, 6))
