"""Smooth random fields, which make one subject unlike another."""

import numpy as np
from scipy import ndimage

from tf_msgan.io.volumes import Shape


def diffeomorphism(shape: Shape, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Draws a `(3, i, j, k)` float32 displacement in voxels, of about 3.5 `strength` along each axis: a smooth random
    velocity field integrated by scaling and squaring (Arsigny et al. 2006), so that it neither tears nor folds."""
    step = 3
    i, j, k = (-(-n // step) + 1 for n in shape)
    coarse = (i, j, k)
    velocity = np.zeros((3, *coarse), np.float32)
    for component in velocity:
        for sigma, sd in ((24, 3.0), (9, 1.6), (5, 0.8)):
            component += smooth_noise(coarse, sigma / step, rng) * sd
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in coarse), indexing="ij"))
    squarings = 5
    flow = velocity * np.float32(strength) / 2**squarings
    for _ in range(squarings):
        at = grid + flow / step
        flow = flow + np.stack([ndimage.map_coordinates(f, at, order=1, mode="nearest") for f in flow])
    fine = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) / step for n in shape), indexing="ij"))
    return np.stack([ndimage.map_coordinates(f, fine, order=1) for f in flow])


def smooth_noise(shape: Shape, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Draws float32 Gaussian noise of unit variance, correlated over `sigma` voxels; long correlations on a coarser
    grid."""
    stride = max(1, int(sigma // 2))
    coarse = tuple(-(-n // stride) + 2 for n in shape)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse, np.float32), sigma / stride, mode="wrap")
    noise /= noise.std()
    if stride == 1:
        return noise[tuple(slice(0, n) for n in shape)]
    zoomed = ndimage.zoom(noise, stride, order=1, grid_mode=True, mode="nearest")
    return zoomed[tuple(slice(0, n) for n in shape)]
