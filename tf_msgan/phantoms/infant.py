"""Infant phantoms, made from the ICBM152 tissue maps that nilearn ships.

A phantom is not a scan. It has the folds of the average adult brain, moved about, and tissue intensities
drawn so that their histograms overlap as they do in the infants of iSEG-2017.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation
from scipy.special import expit

from tf_msgan.io.volumes import Shape
from tf_msgan.phantoms.random_fields import diffeomorphism, smooth_noise
from tf_msgan.phantoms.template import Box, Template, load_template
from tf_msgan.phantoms.tissue import WM, block_mean, offsets_for_shares

# Voxels of iSEG-2017's scans, which have 1 mm.
GRID_1MM = (144, 192, 256)
# Those of its last one.
GRID_1MM_SUBJECT_23 = (160, 192, 256)

# In-brain shares of CSF, GM and WM in iSEG-2017.
SHARES = np.array([0.22, 0.47, 0.31])
# How far subjects stray from `SHARES`.
SHARE_SD = np.array([0.025, 0.0, 0.015])


@dataclass(frozen=True)
class InfantPhantom:
    """One subject: `t1`, `t2` int16 in 0..1000 and `labels` uint8 in {0, 1, 2, 3}, each `(I, J, K)`."""

    t1: np.ndarray
    t2: np.ndarray
    labels: np.ndarray


def infant_grid(subject: int, spacing: int) -> Shape:
    """Voxels of iSEG-2017's scan of `subject` (1–23) at `spacing` 1 or 2 mm."""
    i, j, k = GRID_1MM_SUBJECT_23 if subject == 23 else GRID_1MM
    return i // spacing, j // spacing, k // spacing


def make_infant(subject: int, spacing: int, seed: int) -> InfantPhantom:
    """Draws infant phantom number `subject`.

    Args:
        subject: 1 or more; each number is another brain.
        spacing: voxel size in mm, 1 or 2. The same brain is drawn at 1 mm and averaged to 2 mm.
        seed: of the cohort.

    Returns:
        An `InfantPhantom` on `infant_grid(subject, spacing)`, axes R→L, P→A, I→S.
    """
    anatomy_rng, image_rng = (np.random.default_rng([seed, subject, part]) for part in (0, 1))
    grid = infant_grid(subject, spacing=1)
    factors = (spacing, spacing, spacing)
    box, fractions = _draw_anatomy(load_template(), grid, anatomy_rng)
    images = _draw_images(fractions, image_rng)
    labels = np.argmax(block_mean(fractions, factors), axis=0).astype(np.uint8)
    # A brain voxel is never 0, as in iSEG-2017, where the brain is T1 ≠ 0.
    images = np.clip(np.rint(block_mean(images, factors)), 1, 1000) * (labels > 0)
    t1, t2 = images.astype(np.int16)

    whole_grid = infant_grid(subject, spacing)
    whole = tuple(slice(s.start // spacing, s.stop // spacing) for s in box)

    def paste(values: np.ndarray) -> np.ndarray:
        out = np.zeros(whole_grid, values.dtype)
        out[whole] = values
        return out

    return InfantPhantom(paste(t1), paste(t2), paste(labels))


def _draw_anatomy(template: Template, grid: Shape, rng: np.random.Generator) -> tuple[Box, np.ndarray]:
    """Warps the template to a subject. Returns the box of `grid` that holds the brain (even bounds), and in it the
    `(4, i, j, k)` float32 fractions of background, CSF, GM and WM."""
    scale = 0.83 * rng.normal(1, 0.035) * rng.normal(1, 0.025, 3)
    half = np.ceil(np.array(template.depth.shape) / 2 * scale + 8).astype(int)
    centre = np.array(grid) // 2 + np.array([0, 0, -10])
    start = np.maximum(centre - half, 0) // 2 * 2
    stop = np.minimum(centre + half, grid) // 2 * 2
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    shape = tuple(stop - start)

    displacement = diffeomorphism(shape, rng)
    axes = [np.arange(a, b, dtype=np.float32) - c for a, b, c in zip(start, stop, centre, strict=True)]
    tilt = Rotation.from_euler("XYZ", rng.normal(0, 3, 3), degrees=True).as_matrix()
    grid_axes = np.meshgrid(*axes, indexing="ij", sparse=True)
    offset = np.stack([a + u for a, u in zip(grid_axes, displacement, strict=True)])
    # Analyze's first axis runs from right to left, the template's from left to right.
    matrix = (np.diag([-1.0, 1.0, 1.0]) / scale) @ tilt
    coordinates = np.tensordot(matrix.astype(np.float32), offset, axes=1)
    coordinates += template.centre.astype(np.float32)[:, None, None, None]

    def warp(volume: np.ndarray, outside: float = 0.0) -> np.ndarray:
        return ndimage.map_coordinates(volume, coordinates, order=1, cval=outside, output=np.float32)

    tissues = np.stack([warp(t) for t in template.tissues])
    depth = warp(template.depth, outside=-10.0) * np.float32(scale.mean())
    brain = depth > rng.uniform(-0.5, 0.5)

    score = np.log(tissues + 0.03)
    score[0] += rng.normal(0, 0.35) * expit((depth - 22) / 3)
    for k, sd in enumerate((0.55, 0.4, 0.4)):
        score[k] += smooth_noise(shape, 2.5, rng) * sd
    shares = SHARES + rng.normal(0, 1, 3) * SHARE_SD
    shares[1] = 1 - shares[0] - shares[2]
    score += offsets_for_shares(score[:, brain][:, ::17], shares)[:, None, None, None]

    tissue = np.argmax(score, axis=0) + 1
    tissue[~brain] = 0
    fractions = np.stack([ndimage.gaussian_filter((tissue == k).astype(np.float32), 0.5) for k in range(4)])
    # A voxel of brain is never background: skull-stripping is a mask, with no partial volume.
    fractions[0] = ~brain
    fractions[1:] *= brain
    fractions[1:] /= np.maximum(fractions[1:].sum(axis=0), 1e-6)
    return box, fractions


def _draw_images(fractions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws the `(2, i, j, k)` float32 T1 and T2 intensities of tissue fractions at 1 mm."""
    shape = fractions.shape[1:]
    # Myelination: white matter is bright on T1 where it has matured, and no brighter than grey elsewhere.
    maturity = smooth_noise(shape, 14, rng)
    t1_wm, t2_wm = 520 + rng.normal(28, 7), 530 - rng.normal(0, 5)
    t1 = _draw_modality(fractions, maturity, rng, means=(250, 520, t1_wm), spread=(25, 44, 44), maturation=24)
    t2 = _draw_modality(fractions, maturity, rng, means=(790, 530, t2_wm), spread=(40, 66, 66), maturation=-24)
    return np.stack([t1, t2])


def _draw_modality(
    fractions: np.ndarray,
    maturity: np.ndarray,
    rng: np.random.Generator,
    means: tuple[float, float, float],
    spread: tuple[float, float, float],
    maturation: float,
) -> np.ndarray:
    """Draws the `(i, j, k)` float32 intensities of a modality: `means` of CSF, GM and WM, how far their texture strays,
    and how much brighter WM is by a unit of `maturity`."""
    shape = maturity.shape
    gain, noise_sd = rng.normal(1, 0.06), rng.uniform(27, 41)
    signal = np.zeros(shape, np.float32)
    for k in range(3):
        texture = smooth_noise(shape, 4, rng) * np.float32(spread[k])
        if k + 1 == WM:
            texture += np.float32(maturation) * maturity
        signal += fractions[k + 1] * (np.float32(means[k]) + texture)
    bias_field = np.exp(smooth_noise(shape, 30, rng) * np.float32(0.03))
    signal *= np.float32(gain) * bias_field
    noise = rng.standard_normal((2, *shape), np.float32) * np.float32(noise_sd)
    return np.hypot(signal + noise[0], noise[1])
