"""The ICBM152 tissue maps that nilearn ships: the cerebrum, and the whole brain with its regions."""

import functools
import importlib.resources
from dataclasses import dataclass
from enum import IntEnum

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

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


class Region(IntEnum):
    """Where a voxel of the whole brain lies."""

    OUTER = 0
    DEEP = 1
    VENTRICULAR = 2
    CEREBELLUM = 3
    STEM = 4
    FOURTH_VENTRICLE = 5


# Ellipsoids, left and right alike: centre (|x|, y, z) and radii in MNI mm, read off the ICBM152 maps.
# Grey matter in these is thalamus, caudate's head and body, putamen and pallidum.
DEEP_ELLIPSOIDS_MM = np.array(
    [
        [(12, -19, 7), (13, 17, 11)],
        [(12, 14, 5), (9, 13, 15)],
        [(16, -4, 18), (6, 18, 9)],
        [(25, 1, 1), (9, 23, 14)],
        [(19, -4, -1), (9, 13, 8)],
    ],
    dtype=np.float64,
)
# CSF in these is the lateral ventricles' front and body, waist, atrium, hind and lower horns, the third and the fourth.
VENTRICLE_ELLIPSOIDS_MM = np.array(
    [
        [(12, 8, 14), (14, 34, 16)],
        [(16, -22, 20), (14, 24, 14)],
        [(26, -44, 8), (13, 20, 17)],
        [(26, -68, 6), (9, 18, 11)],
        [(32, -22, -14), (9, 24, 9)],
        [(0, -10, -1), (6, 18, 13)],
        [(0, -43, -34), (12, 10, 14)],
    ],
    dtype=np.float64,
)
# Of what lies below the tentorium, the stem is what lies within this of the midline, and before the floor of the fourth
# ventricle: y at z, which runs backwards below the pons.
STEM_HALF_WIDTH_MM = 19.0
STEM_BACK_MM = ((-75.0, -53.0), (-45.0, -42.0), (-30.0, -38.0), (5.0, -39.0))


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
class WholeTemplate:
    """ICBM152 cerebrum, cerebellum and brain stem at 1 mm.

    Attributes:
        tissues: `(3, I, J, K)` float32 probabilities of CSF, GM and WM in 0..1.
        depth: `(I, J, K)` float32, mm below the brain's surface, negative outside.
        regions: `(I, J, K)` uint8 `Region`.
        origin: `(3,)` voxel coordinates of MNI's (0, 0, 0) mm.
    """

    tissues: np.ndarray
    depth: np.ndarray
    regions: np.ndarray
    origin: np.ndarray


@functools.cache
def load_template() -> Template:
    """Reads the ICBM152 maps from nilearn's own files, and cuts cerebellum and brain stem away."""
    t1, gm, wm, affine = _read_maps()
    tissues, depth, _ = _crop((t1 > 0) & _above_tentorium(gm.shape, affine), gm, wm)
    centre = (np.array(depth.shape) - 1) / 2
    return Template(tissues, depth, centre)


@functools.cache
def load_whole_template() -> WholeTemplate:
    """Reads the ICBM152 maps from nilearn's own files, and tells their regions apart."""
    t1, gm, wm, affine = _read_maps()
    tissues, depth, box = _crop(t1 > 0, gm, wm)
    x, y, z = (np.arange(n) + corner for n, corner in zip(gm.shape, affine[:3, 3], strict=True))
    mm = np.meshgrid(np.abs(x), y, z, indexing="ij", sparse=True)

    regions = np.full(gm.shape, Region.OUTER, np.uint8)
    below = ~_above_tentorium(gm.shape, affine)
    regions[below] = Region.CEREBELLUM
    regions[below & (mm[0] < STEM_HALF_WIDTH_MM) & (mm[1] > np.interp(mm[2], *zip(*STEM_BACK_MM, strict=True)))] = (
        Region.STEM
    )
    regions[_in_any(DEEP_ELLIPSOIDS_MM, mm) & ~below] = Region.DEEP
    # Ventricles and deep grey matter touch; CSF is never grey.
    ventricular = _in_any(VENTRICLE_ELLIPSOIDS_MM, mm) & (gm + wm < 0.7)
    regions[ndimage.binary_dilation(ventricular, iterations=2) & ~below] = Region.VENTRICULAR
    regions[ventricular & below] = Region.FOURTH_VENTRICLE
    return WholeTemplate(tissues, depth, regions[box], -affine[:3, 3] - [s.start for s in box])


def _read_maps():
    # Not of `nilearn.datasets`, which takes seconds to import.
    folder = importlib.resources.files("nilearn") / "datasets" / "data"
    images = [nib.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz") for name in ("t1", "gm", "wm")]
    t1, gm, wm = (np.asarray(image.dataobj, np.float32) / 255 for image in images)
    return t1, gm, wm, images[0].affine


def _crop(brain, gm, wm):
    """Keeps the largest piece of `brain`. Returns its `(3, I, J, K)` tissues, its depth, and the box it was cut by."""
    components, count = ndimage.label(brain)
    brain = components == 1 + np.argmax(ndimage.sum_labels(brain, components, np.arange(1, count + 1)))
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    box = tuple(slice(max(s.start - 4, 0), s.stop + 4) for s in box)
    brain, gm, wm = brain[box], gm[box] * brain[box], wm[box] * brain[box]
    tissues = np.stack([np.clip(brain - gm - wm, 0, 1), gm, wm])
    depth = ndimage.distance_transform_edt(brain) - ndimage.distance_transform_edt(~brain)
    return tissues, depth.astype(np.float32), box


def _in_any(ellipsoids, mm):
    return np.any(
        [
            sum(((a - c) / r) ** 2 for a, c, r in zip(mm, centre, radii, strict=True)) < 1
            for centre, radii in ellipsoids
        ],
        axis=0,
    )


def _above_tentorium(shape, affine):
    x, y = np.meshgrid(np.arange(shape[0]) + affine[0, 3], np.arange(shape[1]) + affine[1, 3], indexing="ij")
    surface = RBFInterpolator(TENTORIUM_MM[:, :2], TENTORIUM_MM[:, 2], neighbors=16, smoothing=1.0)
    height = surface(np.stack([np.abs(x), y], axis=-1).reshape(-1, 2)).reshape(x.shape)
    height[y > TENTORIUM_FRONT_MM] = -np.inf
    z = np.arange(shape[2]) + affine[2, 3]
    return z > height[..., None]
