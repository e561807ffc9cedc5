"""Adult phantoms, made from the ICBM152 tissue maps that nilearn ships, with a head around the brain.

A phantom is not a scan. The maps show the brain alone, so skull, scalp, eyes, muscle and neck are drawn around it from
distances and ellipsoids: enough that a network must tell brain from head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation
from scipy.special import expit

from tf_msgan.io.volumes import Shape
from tf_msgan.phantoms.random_fields import diffeomorphism, smooth_noise
from tf_msgan.phantoms.template import Box, Ellipsoid, Region, load_whole_template
from tf_msgan.phantoms.tissue import block_mean, offsets_for_shares

# Heads are drawn in so many voxels, and averaged to MRBrainS13's.
GRID = (240, 240, 144)
# mm of the voxels that are drawn.
SPACINGS = (0.958, 0.958, 1.0)
# Drawn voxels in the thickness of a slice: MRBrainS13 has 0.958×0.958×3 mm.
THICKNESS = 3
# Where MNI's (0, 0, 0) mm lies: the crown just inside the grid's top.
ORIGIN = np.array([119.5, 122.0, 57.5])
# ICBM152 is larger than people's brains are.
SCALE = 0.9

# MRBrainS13's codes.
CORTEX, BASAL_GANGLIA, WHITE_MATTER, LESION, OUTER_CSF, VENTRICLES, CEREBELLUM, BRAIN_STEM = range(1, 9)
# Training codes → testing codes: 1 CSF, 2 GM, 3 WM; cerebellum and brain stem are background.
TESTING_CODES = np.array([0, 2, 2, 3, 3, 1, 1, 0, 0], np.uint8)

# Shares of CSF, GM and WM in the template's cerebrum. With the CSF around it they come to about 22, 44 and 34 % of
# codes 1–6.
SHARES = np.array([0.19, 0.45, 0.36])
# How far subjects stray from `SHARES`.
SHARE_SD = np.array([0.025, 0.0, 0.012])

# What lies below the tentorium.
HINDBRAIN = (Region.CEREBELLUM, Region.STEM, Region.FOURTH_VENTRICLE)


class Substance(IntEnum):
    """What a voxel of 1 mm is made of."""

    AIR = 0
    CSF = 1
    GM = 2
    WM = 3
    DEEP_GM = 4
    LESION = 5
    BONE = 6
    MARROW = 7
    FAT = 8
    MUSCLE = 9
    SKIN = 10
    VITREOUS = 11


class Signal(NamedTuple):
    """How a substance looks: its intensity on T1; its T1 in ms and proton density, for T1-IR; its intensity on FLAIR;
    and how far its texture strays, relative to the intensity."""

    t1: float
    t1_ms: float
    density: float
    flair: float
    spread: float


SIGNALS = {
    Substance.AIR: Signal(t1=0, t1_ms=1000, density=0.00, flair=0, spread=0.0),
    Substance.CSF: Signal(t1=140, t1_ms=4000, density=1.00, flair=70, spread=0.15),
    Substance.GM: Signal(t1=400, t1_ms=1300, density=0.84, flair=430, spread=0.105),
    Substance.WM: Signal(t1=530, t1_ms=800, density=0.70, flair=345, spread=0.075),
    Substance.DEEP_GM: Signal(t1=440, t1_ms=1150, density=0.80, flair=415, spread=0.06),
    Substance.LESION: Signal(t1=430, t1_ms=1200, density=0.82, flair=660, spread=0.08),
    Substance.BONE: Signal(t1=50, t1_ms=900, density=0.06, flair=40, spread=0.3),
    Substance.MARROW: Signal(t1=420, t1_ms=600, density=0.45, flair=300, spread=0.25),
    Substance.FAT: Signal(t1=840, t1_ms=370, density=0.90, flair=620, spread=0.08),
    Substance.MUSCLE: Signal(t1=340, t1_ms=1000, density=0.70, flair=220, spread=0.12),
    Substance.SKIN: Signal(t1=420, t1_ms=800, density=0.65, flair=320, spread=0.15),
    Substance.VITREOUS: Signal(t1=130, t1_ms=4000, density=0.98, flair=60, spread=0.05),
}
# Times of the inversion-recovery scan.
INVERSION_MS, REPETITION_MS = 1255.0, 4416.0
# Intensity of its whole magnetisation.
IR_GAIN = 1050.0

FACE = Ellipsoid(centre=(0, 38, -72), radii=(66, 62, 62))
NOSE = Ellipsoid(centre=(0, 98, -62), radii=(13, 16, 24))
NECK = Ellipsoid(centre=(0, -30, -95), radii=(64, 68, 75))
TEMPLES = Ellipsoid(centre=(58, 12, -22), radii=(18, 36, 44))
ORBITS = Ellipsoid(centre=(32, 58, -40), radii=(20, 27, 18))
EYES = Ellipsoid(centre=(33, 70, -40), radii=(13, 13, 13))
SINUSES = (
    Ellipsoid(centre=(8, 62, -46), radii=(9, 22, 15)),
    Ellipsoid(centre=(0, 22, -42), radii=(14, 11, 9)),
    Ellipsoid(centre=(33, 50, -78), radii=(16, 18, 18)),
)


@dataclass(frozen=True)
class AdultPhantom:
    """One subject.

    Attributes:
        t1, t1_ir, flair: int16 in 0..1000, `(I, J, K)`.
        t1_1mm: int16 in 0..1000: the T1 on thinner slices, `(I, J, 3K)` at spacing 1 and `(I, J, 3K/2)` at 2.
        labels: uint8 in 0..8, `(I, J, K)`: MRBrainS13's codes for training.
    """

    t1: np.ndarray
    t1_ir: np.ndarray
    flair: np.ndarray
    t1_1mm: np.ndarray
    labels: np.ndarray


def adult_spacings(spacing: int) -> tuple[np.ndarray, np.ndarray]:
    """Voxel sizes in mm along i, j, k, `(3,)`, of the scans, and those of `t1_1mm`."""
    coarse, fine = _factors(spacing)
    return np.multiply(SPACINGS, coarse), np.multiply(SPACINGS, fine)


def _factors(spacing: int) -> tuple[Shape, Shape]:
    """How many drawn voxels a voxel of the scans, and of `t1_1mm`, has along i, j, k."""
    return (spacing, spacing, THICKNESS), (spacing, spacing, spacing)


def make_adult(subject: int, spacing: int, seed: int) -> AdultPhantom:
    """Draws adult phantom number `subject`.

    Args:
        subject: 1 or more; each number is another head.
        spacing: 1 for 240×240×48 voxels of 0.958×0.958×3 mm, 2 for half as many in plane. The same head is drawn in
            thin slices and averaged.
        seed: of the cohort.

    Returns:
        An `AdultPhantom`, axes L→R, P→A, I→S.
    """
    # Another sequence than the infants' of the same seed.
    anatomy_rng, image_rng = (np.random.default_rng([seed, subject, part]) for part in (2, 3))
    substances, codes = _draw_anatomy(anatomy_rng)
    (t1, t1_ir, flair), t1_1mm = _draw_images(substances, spacing, image_rng)
    coarse, _ = _factors(spacing)
    fractions = np.concatenate([block_mean((codes == code)[None], coarse) for code in range(BRAIN_STEM + 1)])
    labels = np.argmax(fractions, axis=0).astype(np.uint8)
    return AdultPhantom(t1, t1_ir, flair, t1_1mm, labels)


def _draw_anatomy(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 `Substance` and uint8 MRBrainS13 codes on `GRID`."""
    scale = SCALE * rng.normal(1, 0.02) * rng.normal(1, 0.025, 3)
    tilt = Rotation.from_euler("XYZ", rng.normal(0, 3, 3), degrees=True).as_matrix()
    to_mni = (np.diag(1 / scale) @ tilt).astype(np.float32)

    box, tissue, regions, depth = _draw_brain(to_mni, scale, rng)
    substances, codes = np.zeros((2, *GRID), np.uint8)
    brain = np.zeros(GRID, bool)
    brain[box] = depth > 0
    _draw_head(substances, codes, brain, to_mni, rng)

    inside = tissue > 0
    substances[box][inside] = tissue[inside]
    by_tissue = np.array([0, OUTER_CSF, CORTEX, WHITE_MATTER, BASAL_GANGLIA, LESION], np.uint8)
    drawn = by_tissue[tissue]
    drawn[(tissue == Substance.CSF) & np.isin(regions, (Region.VENTRICULAR, Region.FOURTH_VENTRICLE))] = VENTRICLES
    drawn[(tissue > Substance.CSF) & np.isin(regions, HINDBRAIN)] = CEREBELLUM
    drawn[(tissue > Substance.CSF) & (regions == Region.STEM)] = BRAIN_STEM
    codes[box][inside] = drawn[inside]
    return substances, codes


def _draw_brain(
    to_mni: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> tuple[Box, np.ndarray, np.ndarray, np.ndarray]:
    """Warps the template to a subject. Returns the box of `GRID` that holds the brain, and in it `Substance` (AIR
    outside the brain), `Region` and depth below the brain's surface in mm."""
    template = load_whole_template()
    far = np.array(template.depth.shape)
    start, stop = (
        ORIGIN + (corner - template.origin) * scale / SPACINGS + margin for corner, margin in ((0 * far, -8), (far, 8))
    )
    start, stop = np.maximum(start, 0).astype(int), np.minimum(stop, GRID).astype(int)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    shape: Shape = tuple((stop - start).tolist())

    mm = [a + u for a, u in zip(_axes_mm(start, stop), diffeomorphism(shape, rng, strength=0.7), strict=True)]
    coordinates = np.tensordot(to_mni, np.stack(mm), axes=1)
    coordinates += template.origin.astype(np.float32)[:, None, None, None]

    def warp(volume: np.ndarray, outside: float = 0.0, order: int = 1) -> np.ndarray:
        return ndimage.map_coordinates(volume, coordinates, order=order, cval=outside, output=volume.dtype)

    tissues = np.stack([warp(t) for t in template.tissues])
    depth = warp(template.depth, outside=-10.0) * np.float32(scale.mean())
    regions = warp(template.regions, outside=Region.OUTER, order=0)
    brain = depth > 0
    hindbrain = np.isin(regions, HINDBRAIN)

    score = np.log(tissues + 0.03)
    # Atrophy: ventricles and sulci widen each on their own.
    score[0] += rng.normal(0, 0.5) * expit((depth - 22) / 3)
    for k, sd in enumerate((0.5, 0.4, 0.4)):
        score[k] += smooth_noise(shape, 2.5, rng) * np.where(hindbrain, 0.3 * sd, sd).astype(np.float32)
    _cut_folia(score[0], regions == Region.CEREBELLUM, rng)
    score[1] += np.float32(0.5) * (regions == Region.DEEP)
    score[2] += np.float32(0.4) * (regions == Region.STEM)
    shares = SHARES + rng.normal(0, 1, 3) * SHARE_SD
    shares[1] = 1 - shares[0] - shares[2]
    offsets = offsets_for_shares(score[:, brain & ~hindbrain][:, ::17], shares)
    score += offsets[:, None, None, None] * ~hindbrain

    tissue = (np.argmax(score, axis=0) + 1).astype(np.uint8)
    tissue[~brain] = Substance.AIR
    tissue[(tissue == Substance.GM) & (regions == Region.DEEP)] = Substance.DEEP_GM
    white = (tissue == Substance.WM) & ~hindbrain
    ventricles = (tissue == Substance.CSF) & (regions == Region.VENTRICULAR)
    _draw_lesions(tissue, white, ventricles, rng)
    return box, tissue, regions, depth


def _cut_folia(score: np.ndarray, cerebellum: np.ndarray, rng: np.random.Generator) -> None:
    """Lets thin CSF into the cerebellum, whose folia are finer than the maps show: raises CSF's `score` in place."""
    box = ndimage.find_objects(cerebellum.astype(np.uint8))[0]
    score[box] += smooth_noise(cerebellum[box].shape, 1.2, rng) * np.float32(1.1) * cerebellum[box]


def _axes_mm(start: Sequence[int] = (0, 0, 0), stop: Sequence[int] = GRID) -> Sequence[np.ndarray]:
    """The sparse mm of each axis of a box of `GRID`, from MNI's origin."""
    axes = [
        ((np.arange(a, b) - origin) * spacing).astype(np.float32)
        for a, b, origin, spacing in zip(start, stop, ORIGIN, SPACINGS, strict=True)
    ]
    return np.meshgrid(*axes, indexing="ij", sparse=True)


def _draw_lesions(tissue: np.ndarray, white: np.ndarray, ventricles: np.ndarray, rng: np.random.Generator) -> None:
    """Turns blobs of white matter, most of them near the ventricles, to `LESION`, in place."""
    count = int(np.clip(rng.lognormal(np.log(18), 0.9), 3, 90))
    from_ventricles = ndimage.distance_transform_edt(~ventricles[::2, ::2, ::2]) * 2
    # Away from the cortex, whose U-fibres are spared.
    deep = ndimage.binary_erosion(white, iterations=3)[::2, ::2, ::2]
    candidates = np.argwhere(deep) * 2
    weights = np.exp(-from_ventricles[deep] / 6) + 0.01
    centres = candidates[rng.choice(len(candidates), count, p=weights / weights.sum())]
    for centre in centres:
        radii = rng.gamma(4, 0.7, 3).clip(1.5, 8)
        reach = np.ceil(radii).astype(int) + 2
        box = tuple(slice(max(c - r, 0), c + r + 1) for c, r in zip(centre, reach, strict=True))
        axes = np.meshgrid(*(np.arange(n)[s] for n, s in zip(tissue.shape, box, strict=True)), indexing="ij")
        distance = np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)))
        distance += 0.3 * smooth_noise(distance.shape, 1.5, rng)
        tissue[box][(distance < 1) & white[box]] = Substance.LESION


def _draw_head(
    substances: np.ndarray, codes: np.ndarray, brain: np.ndarray, to_mni: np.ndarray, rng: np.random.Generator
) -> None:
    """Draws CSF, skull and the soft tissue around `brain` `(I, J, K)`, in place."""
    outside_dura, outside_skull, below_skin = _head_surfaces(brain, to_mni, rng)
    mni = _mni_mm(to_mni)
    marbling = smooth_noise(GRID, 4, rng)
    head = below_skin > 0
    layers = [
        (Substance.MUSCLE, head),
        (Substance.FAT, head & ((marbling > 1.4) | (below_skin < 5.5))),
        (Substance.SKIN, head & (below_skin < 1.8)),
        (Substance.FAT, (_depth_in(ORBITS, mni) > 0) & (below_skin > 4)),
        (Substance.VITREOUS, (_depth_in(EYES, mni) > 0) & (below_skin > 1.8)),
        *((Substance.AIR, (_depth_in(sinus, mni) + marbling > 0) & (below_skin > 4)) for sinus in SINUSES),
        (Substance.BONE, outside_skull < 0),
        # Between the skull's two tables.
        (Substance.MARROW, (outside_dura > 1.8) & (outside_skull < -1.8)),
        (Substance.CSF, outside_dura < 0),
    ]
    for substance, where in layers:
        substances[where] = substance
    codes[outside_dura < 0] = OUTER_CSF


def _head_surfaces(
    brain: np.ndarray, to_mni: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns float32 mm on `GRID`: outside the dura, outside the skull, below the skin. Drawn on every second voxel,
    as all are smooth."""
    stride = 2
    outside = _distance_to_hull(brain[::stride, ::stride, ::stride], np.array(SPACINGS) * stride)

    def thickness(mean: float, sd: float, least: float) -> np.ndarray:
        return (mean + smooth_noise(outside.shape, 12, rng) * np.float32(sd)).clip(least)

    outside_dura = outside - thickness(rng.uniform(0.4, 1.4), sd=0.3, least=0.2)
    outside_skull = outside_dura - thickness(rng.uniform(5.5, 7.5), sd=1.0, least=3)
    below_skin = thickness(rng.uniform(4.5, 7), sd=0.8, least=3.5) - outside_skull
    mni = _mni_mm(to_mni, stride)
    for ellipsoid in (FACE, NOSE, NECK, TEMPLES):
        below_skin = _smooth_maximum(below_skin, _depth_in(ellipsoid, mni))

    def fine(surface: np.ndarray) -> np.ndarray:
        return ndimage.zoom(surface, stride, order=1, grid_mode=True, mode="nearest")

    return fine(outside_dura), fine(outside_skull), fine(below_skin)


def _mni_mm(to_mni: np.ndarray, stride: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MNI's |x|, y, z in mm of every `stride`th voxel of `GRID`."""
    axes = [a[::stride, ::stride, ::stride] for a in _axes_mm()]
    x, y, z = (sum(m * a for m, a in zip(row, axes, strict=True)) for row in to_mni)
    return np.abs(x), y, z


def _distance_to_hull(brain: np.ndarray, spacings: np.ndarray) -> np.ndarray:
    """Float32 mm outside the surface of `brain` with its clefts closed, negative inside."""
    closing = 9.0
    # Room for the closing, which the grid's border may not cut.
    margin = 10
    padded = np.pad(brain, margin)
    dilated = ndimage.distance_transform_edt(~padded, sampling=spacings) < closing
    closed = ndimage.distance_transform_edt(dilated, sampling=spacings) > closing
    distance = ndimage.distance_transform_edt(~closed, sampling=spacings)
    distance -= ndimage.distance_transform_edt(closed, sampling=spacings)
    return ndimage.gaussian_filter(distance.astype(np.float32), 1.5)[(slice(margin, -margin),) * 3]


def _depth_in(ellipsoid: Ellipsoid, mni: Sequence[np.ndarray]) -> np.ndarray:
    """How many mm, about, |x|, y, z `mni` lie below an ellipsoid's surface; negative outside."""
    centre, radii = ellipsoid
    radius = np.sqrt(
        sum(((a - np.float32(c)) / np.float32(r)) ** 2 for a, c, r in zip(mni, centre, radii, strict=True))
    )
    return (1 - radius) * np.float32(min(radii) * SCALE)


def _smooth_maximum(a: np.ndarray, b: np.ndarray, width: float = 6.0) -> np.ndarray:
    """The larger of `a` and `b`, raised by up to width/4 where they are within `width` of each other."""
    h = np.maximum(np.float32(width) - np.abs(a - b), 0)
    return np.maximum(a, b) + h * h * np.float32(0.25 / width)


def _draw_images(substances: np.ndarray, spacing: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the int16 `(3, I, J, K)` T1, T1-IR and FLAIR, and the int16 T1 on the other grid."""
    coarse, fine = _factors(spacing)
    t1, t1_ms, density, flair, spread = np.array([SIGNALS[s] for s in Substance], np.float32).T
    # Signed: where tissues of both signs share a voxel they cancel.
    t1_ir = IR_GAIN * density * (1 - 2 * np.exp(-INVERSION_MS / t1_ms) + np.exp(-REPETITION_MS / t1_ms))
    texture_of = spread[substances]
    scans = []
    for means in (t1, t1_ir, flair):
        signal = means[substances]
        signal *= 1 + texture_of * smooth_noise(GRID, 4, rng)
        signal = ndimage.gaussian_filter(signal, 0.5)
        signal *= np.float32(rng.normal(1, 0.05)) * np.exp(smooth_noise(GRID, 40, rng) * np.float32(0.03))
        noise_sd = rng.uniform(11, 17)
        scans.append(_scan(signal, coarse, noise_sd, rng))
        if means is t1:
            t1_1mm = _scan(signal, fine, 1.5 * noise_sd, rng)
    return np.stack(scans), t1_1mm


def _scan(signal: np.ndarray, factors: Shape, noise_sd: float, rng: np.random.Generator) -> np.ndarray:
    """The int16 magnitudes of `signal` averaged over voxels, with Rician noise."""
    signal = block_mean(signal[None], factors)[0]
    noise = rng.standard_normal((2, *signal.shape), np.float32) * np.float32(noise_sd)
    return np.clip(np.rint(np.hypot(signal + noise[0], noise[1])), 0, 1000).astype(np.int16)
