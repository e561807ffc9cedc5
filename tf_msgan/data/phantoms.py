"""Brain phantoms made from the ICBM152 tissue maps that nilearn ships.

A phantom is not a scan. It has the folds of the average adult brain, moved about, and tissue intensities
drawn so that their histograms overlap as they do in the infants of iSEG-2017.
"""

import functools
import importlib.resources
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.interpolate import RBFInterpolator
from scipy.spatial.transform import Rotation
from scipy.special import expit

CSF, GM, WM = 1, 2, 3

GRID_1MM = (144, 192, 256)
GRID_1MM_SUBJECT_23 = (160, 192, 256)

# The tentorium, which parts the cerebrum from cerebellum and brain stem: height z at (|x|, y), MNI mm, read off the
# ICBM152 T1 template. iSEG-2017 shows the cerebrum alone.
TENTORIUM_MM = np.array(
    [
        *[(0, y, z) for y, z in [(-104, -22), (-94, -18), (-84, -15), (-74, -6), (-64, 2), (-54, 5), (-44, 3)]],
        *[(0, y, z) for y, z in [(-37, -2), (-29, -6), (-21, -11), (-14, -17), (-10, -26), (-4, -52)]],
        *[(13, y, z) for y, z in [(-104, -22), (-89, -21), (-79, -16), (-69, -12), (-59, -8), (-49, -8)]],
        *[(13, y, z) for y, z in [(-39, -10), (-34, -14), (-27, -15), (-19, -20), (-14, -28), (-8, -52)]],
        *[(23, y, z) for y, z in [(-94, -21), (-84, -19), (-74, -16), (-64, -16), (-54, -17), (-44, -20)]],
        *[(23, y, z) for y, z in [(-34, -25), (-28, -30), (-24, -38), (-18, -52)]],
        *[(38, y, z) for y, z in [(-94, -21), (-84, -20), (-74, -20), (-64, -21), (-54, -23), (-44, -27)]],
        *[(38, y, z) for y, z in [(-36, -31), (-30, -42), (-24, -57)]],
        *[(48, y, z) for y, z in [(-84, -21), (-74, -22), (-64, -24), (-54, -27), (-44, -30), (-38, -36), (-32, -52)]],
        *[(58, y, z) for y, z in [(-74, -23), (-59, -28), (-49, -31), (-42, -34), (-36, -52)]],
        *[(68, y, z) for y, z in [(-64, -32), (-49, -36), (-39, -52)]],
    ],
    dtype=np.float64,
)
TENTORIUM_FRONT_MM = -6.0

# In-brain shares of CSF, GM and WM in iSEG-2017, and how far subjects stray from them.
SHARES = np.array([0.22, 0.47, 0.31])
SHARE_SD = np.array([0.025, 0.0, 0.015])


@dataclass(frozen=True)
class Template:
    """ICBM152 cerebrum at 1 mm.

    Attributes:
        tissues: `(3, I, J, K)` float32 probabilities of CSF, GM and WM in 0..1.
        depth: `(I, J, K)` float32, mm below the brain's surface, negative outside.
        centre: `(3,)` voxel coordinates of the cerebrum's bounding-box centre.
    """

    tissues: np.ndarray
    depth: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True)
class Phantom:
    """One subject: `t1`, `t2` int16 in 0..1000 and `labels` uint8 in {0, 1, 2, 3}, each `(I, J, K)`."""

    t1: np.ndarray
    t2: np.ndarray
    labels: np.ndarray


@functools.cache
def load_template() -> Template:
    """Reads the ICBM152 maps from nilearn's own files, and cuts cerebellum and brain stem away."""
    folder = importlib.resources.files("nilearn.datasets") / "data"
    gm_image = nib.load(folder / "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz")
    wm_image = nib.load(folder / "mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz")
    t1_image = nib.load(folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
    gm, wm, t1 = (np.asarray(image.dataobj, np.float32) / 255 for image in (gm_image, wm_image, t1_image))

    brain = (t1 > 0) & _above_tentorium(gm.shape, gm_image.affine)
    components, count = ndimage.label(brain)
    brain = components == 1 + np.argmax(ndimage.sum_labels(brain, components, np.arange(1, count + 1)))
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    box = tuple(slice(max(s.start - 4, 0), s.stop + 4) for s in box)
    brain, gm, wm = brain[box], gm[box] * brain[box], wm[box] * brain[box]

    tissues = np.stack([np.clip(brain - gm - wm, 0, 1), gm, wm])
    depth = ndimage.distance_transform_edt(brain) - ndimage.distance_transform_edt(~brain)
    centre = (np.array(brain.shape) - 1) / 2
    return Template(tissues, depth.astype(np.float32), centre)


def _above_tentorium(shape, affine):
    x, y = np.meshgrid(np.arange(shape[0]) + affine[0, 3], np.arange(shape[1]) + affine[1, 3], indexing="ij")
    surface = RBFInterpolator(TENTORIUM_MM[:, :2], TENTORIUM_MM[:, 2], neighbors=16, smoothing=1.0)
    height = surface(np.stack([np.abs(x), y], axis=-1).reshape(-1, 2)).reshape(x.shape)
    height[y > TENTORIUM_FRONT_MM] = -np.inf
    z = np.arange(shape[2]) + affine[2, 3]
    return z > height[..., None]


def infant_grid(subject: int, spacing: int) -> tuple[int, int, int]:
    """Voxels of iSEG-2017's scan of `subject` (1–23) at `spacing` 1 or 2 mm."""
    grid = GRID_1MM_SUBJECT_23 if subject == 23 else GRID_1MM
    return tuple(n // spacing for n in grid)


def make_infant(subject: int, spacing: int, seed: int) -> Phantom:
    """Draws infant phantom number `subject`.

    Args:
        subject: 1 or more; each number is another brain.
        spacing: voxel size in mm, 1 or 2. The same brain is drawn at 1 mm and averaged to 2 mm.
        seed: of the cohort.

    Returns:
        A `Phantom` on `infant_grid(subject, spacing)`, axes R→L, P→A, I→S.
    """
    anatomy_rng, image_rng = (np.random.default_rng([seed, subject, part]) for part in (0, 1))
    grid = infant_grid(subject, 1)
    box, fractions = _draw_anatomy(load_template(), grid, anatomy_rng)
    images = _draw_images(fractions, image_rng)
    labels = np.argmax(_block_mean(fractions, spacing), axis=0).astype(np.uint8)
    # A brain voxel is never 0, as in iSEG-2017, where the brain is T1 ≠ 0.
    images = np.clip(np.rint(_block_mean(images, spacing)), 1, 1000) * (labels > 0)
    t1, t2 = images.astype(np.int16)

    whole_grid = infant_grid(subject, spacing)
    whole = tuple(slice(s.start // spacing, s.stop // spacing) for s in box)

    def paste(values):
        out = np.zeros(whole_grid, values.dtype)
        out[whole] = values
        return out

    return Phantom(paste(t1), paste(t2), paste(labels))


def _draw_anatomy(template, grid, rng):
    """Warps the template to a subject. Returns the box of `grid` that holds the brain (even bounds), and in it the
    `(4, i, j, k)` float32 fractions of background, CSF, GM and WM."""
    scale = 0.83 * rng.normal(1, 0.035) * rng.normal(1, 0.025, 3)
    half = np.ceil(np.array(template.depth.shape) / 2 * scale + 8).astype(int)
    centre = np.array(grid) // 2 + np.array([0, 0, -10])
    start = np.maximum(centre - half, 0) // 2 * 2
    stop = np.minimum(centre + half, grid) // 2 * 2
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    shape = tuple(stop - start)

    displacement = _diffeomorphism(shape, rng)
    axes = [np.arange(a, b, dtype=np.float32) - c for a, b, c in zip(start, stop, centre, strict=True)]
    tilt = Rotation.from_euler("XYZ", rng.normal(0, 3, 3), degrees=True).as_matrix()
    grid_axes = np.meshgrid(*axes, indexing="ij", sparse=True)
    offset = np.stack([a + u for a, u in zip(grid_axes, displacement, strict=True)])
    # Analyze's first axis runs from right to left, the template's from left to right.
    matrix = (np.diag([-1.0, 1.0, 1.0]) / scale) @ tilt
    coordinates = np.tensordot(matrix.astype(np.float32), offset, axes=1)
    coordinates += template.centre.astype(np.float32)[:, None, None, None]

    def warp(volume, outside=0.0):
        return ndimage.map_coordinates(volume, coordinates, order=1, cval=outside, output=np.float32)

    tissues = np.stack([warp(t) for t in template.tissues])
    depth = warp(template.depth, -10.0) * np.float32(scale.mean())
    brain = depth > rng.uniform(-0.5, 0.5)

    score = np.log(tissues + 0.03)
    score[0] += rng.normal(0, 0.35) * expit((depth - 22) / 3)
    for k, sd in enumerate((0.55, 0.4, 0.4)):
        score[k] += _smooth_noise(shape, 2.5, rng) * sd
    shares = SHARES + rng.normal(0, 1, 3) * SHARE_SD
    shares[1] = 1 - shares[0] - shares[2]
    score += _bias_for(score[:, brain][:, ::17], shares)[:, None, None, None]

    tissue = np.argmax(score, axis=0) + 1
    tissue[~brain] = 0
    fractions = np.stack([ndimage.gaussian_filter((tissue == k).astype(np.float32), 0.5) for k in range(4)])
    # A voxel of brain is never background: skull-stripping is a mask, with no partial volume.
    fractions[0] = ~brain
    fractions[1:] *= brain
    fractions[1:] /= np.maximum(fractions[1:].sum(axis=0), 1e-6)
    return box, fractions


def _bias_for(score, shares):
    """The offsets that give argmax shares `shares` over the columns of `(3, n)` scores."""
    bias = np.zeros(3, np.float32)
    for _ in range(60):
        found = np.bincount(np.argmax(score + bias[:, None], axis=0), minlength=3) / score.shape[1]
        bias += np.float32(0.7) * np.log(shares / np.maximum(found, 1e-3)).astype(np.float32)
    return bias


def _draw_images(fractions, rng):
    """The `(2, i, j, k)` float32 T1 and T2 intensities of tissue fractions at 1 mm."""
    shape = fractions.shape[1:]
    # Myelination: white matter is bright on T1 where it has matured, and no brighter than grey elsewhere.
    maturity = _smooth_noise(shape, 14, rng)
    t1 = dict(means=(250, 520, 520 + rng.normal(28, 7)), spread=(25, 44, 44), maturation=24)
    t2 = dict(means=(790, 530, 530 - rng.normal(0, 5)), spread=(40, 66, 66), maturation=-24)
    return np.stack([_draw_modality(fractions, maturity, rng, **modality) for modality in (t1, t2)])


def _draw_modality(fractions, maturity, rng, means, spread, maturation):
    shape = maturity.shape
    gain, noise_sd = rng.normal(1, 0.06), rng.uniform(27, 41)
    signal = np.zeros(shape, np.float32)
    for k in range(3):
        texture = _smooth_noise(shape, 4, rng) * np.float32(spread[k])
        if k + 1 == WM:
            texture += np.float32(maturation) * maturity
        signal += fractions[k + 1] * (np.float32(means[k]) + texture)
    bias_field = np.exp(_smooth_noise(shape, 30, rng) * np.float32(0.03))
    signal *= np.float32(gain) * bias_field
    noise = rng.standard_normal((2, *shape), np.float32) * np.float32(noise_sd)
    return np.hypot(signal + noise[0], noise[1])


def _block_mean(volumes, factor):
    if factor == 1:
        return volumes
    c, i, j, k = volumes.shape
    return volumes.reshape(c, i // factor, factor, j // factor, factor, k // factor, factor).mean(axis=(2, 4, 6))


def _diffeomorphism(shape, rng):
    """A `(3, i, j, k)` displacement in voxels: a smooth random velocity field integrated by scaling and squaring
    (Arsigny et al. 2006), so that it neither tears nor folds."""
    step = 3
    coarse = tuple(-(-n // step) + 1 for n in shape)
    velocity = np.stack(
        [
            sum(_smooth_noise(coarse, sigma / step, rng) * sd for sigma, sd in ((24, 3.0), (9, 1.6), (5, 0.8)))
            for _ in range(3)
        ]
    )
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in coarse), indexing="ij"))
    squarings = 5
    flow = velocity / 2**squarings
    for _ in range(squarings):
        at = grid + flow / step
        flow = flow + np.stack([ndimage.map_coordinates(f, at, order=1, mode="nearest") for f in flow])
    fine = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) / step for n in shape), indexing="ij"))
    return np.stack([ndimage.map_coordinates(f, fine, order=1) for f in flow])


def _smooth_noise(shape, sigma, rng):
    """Float32 Gaussian noise of unit variance, correlated over `sigma` voxels. Long correlations are drawn on a coarser
    grid."""
    stride = max(1, int(sigma // 2))
    coarse = tuple(-(-n // stride) + 2 for n in shape)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse, np.float32), sigma / stride, mode="wrap")
    noise /= noise.std()
    if stride == 1:
        return noise[tuple(slice(0, n) for n in shape)]
    zoomed = ndimage.zoom(noise, stride, order=1, grid_mode=True, mode="nearest")
    return zoomed[tuple(slice(0, n) for n in shape)]
