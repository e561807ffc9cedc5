"""The ICBM152 tissue maps that nilearn ships: the cerebrum, and the whole brain with its regions."""

import functools
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from tf_msgan.io.volumes import Shape

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
# Before this y nothing lies below the tentorium.
TENTORIUM_FRONT_MM = -6.0

# Where an array is cut.
Box = tuple[slice, ...]


class Region(IntEnum):
    """Where a voxel of the whole brain lies."""

    OUTER = 0
    DEEP = 1
    VENTRICULAR = 2
    CEREBELLUM = 3
    STEM = 4
    FOURTH_VENTRICLE = 5


class Ellipsoid(NamedTuple):
    """An ellipsoid in MNI mm, left and right alike: its centre (|x|, y, z), and its radii along x, y and z."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


# Grey matter in these is deep. Read off the ICBM152 maps.
DEEP_ELLIPSOIDS = (
    # Thalamus.
    Ellipsoid(centre=(12, -19, 7), radii=(13, 17, 11)),
    # Caudate's head and body.
    Ellipsoid(centre=(12, 14, 5), radii=(9, 13, 15)),
    Ellipsoid(centre=(16, -4, 18), radii=(6, 18, 9)),
    # Putamen and pallidum.
    Ellipsoid(centre=(25, 1, 1), radii=(9, 23, 14)),
    Ellipsoid(centre=(19, -4, -1), radii=(9, 13, 8)),
)
# CSF in these is in a ventricle. Read off the ICBM152 maps.
VENTRICLE_ELLIPSOIDS = (
    # The lateral ventricles' front and body, waist, atrium, hind and lower horns.
    Ellipsoid(centre=(12, 8, 14), radii=(14, 34, 16)),
    Ellipsoid(centre=(16, -22, 20), radii=(14, 24, 14)),
    Ellipsoid(centre=(26, -44, 8), radii=(13, 20, 17)),
    Ellipsoid(centre=(26, -68, 6), radii=(9, 18, 11)),
    Ellipsoid(centre=(32, -22, -14), radii=(9, 24, 9)),
    # The third and the fourth.
    Ellipsoid(centre=(0, -10, -1), radii=(6, 18, 13)),
    Ellipsoid(centre=(0, -43, -34), radii=(12, 10, 14)),
)
# Below the tentorium, the brain stem is what lies within this of the midline and before `STEM_BACK_MM`.
STEM_HALF_WIDTH_MM = 19.0
# The floor of the fourth ventricle, (z, y) in MNI mm: it runs backwards below the pons.
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
    stem_back = np.interp(mm[2], *np.transpose(STEM_BACK_MM))
    regions[below & (mm[0] < STEM_HALF_WIDTH_MM) & (mm[1] > stem_back)] = Region.STEM
    regions[_in_any(DEEP_ELLIPSOIDS, mm) & ~below] = Region.DEEP
    # Ventricles and deep grey matter touch; CSF is never grey.
    ventricular = _in_any(VENTRICLE_ELLIPSOIDS, mm) & (gm + wm < 0.7)
    regions[ndimage.binary_dilation(ventricular, iterations=2) & ~below] = Region.VENTRICULAR
    regions[ventricular & below] = Region.FOURTH_VENTRICLE
    return WholeTemplate(tissues, depth, regions[box], -affine[:3, 3] - [s.start for s in box])


def _read_maps() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Reads the T1, and the shares of GM and WM in 0..1, all `(I, J, K)` float32; and their affine."""
    # Not of `nilearn.datasets`, which takes seconds to import.
    folder = Path(str(importlib.resources.files("nilearn"))) / "datasets" / "data"
    names = [f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz" for name in ("t1", "gm", "wm")]
    images = [nib.Nifti1Image.from_filename(folder / name) for name in names]
    t1, gm, wm = (np.asarray(image.dataobj, np.float32) / 255 for image in images)
    return t1, gm, wm, images[0].affine


def _crop(brain: np.ndarray, gm: np.ndarray, wm: np.ndarray) -> tuple[np.ndarray, np.ndarray, Box]:
    """Keeps the largest piece of `brain`. Returns its `(3, I, J, K)` tissues, its depth, and the box it was cut by."""
    components, count = ndimage.label(brain)
    brain = components == 1 + np.argmax(ndimage.sum_labels(brain, components, np.arange(1, count + 1)))
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    box = tuple(slice(max(s.start - 4, 0), s.stop + 4) for s in box)
    brain, gm, wm = brain[box], gm[box] * brain[box], wm[box] * brain[box]
    tissues = np.stack([np.clip(brain - gm - wm, 0, 1), gm, wm])
    depth = ndimage.distance_transform_edt(brain) - ndimage.distance_transform_edt(~brain)
    return tissues, depth.astype(np.float32), box


def _in_any(ellipsoids: Sequence[Ellipsoid], mm: Sequence[np.ndarray]) -> np.ndarray:
    """Where a voxel at |x|, y, z `mm` lies in one of the ellipsoids."""
    return np.any([_squared_distance(ellipsoid, mm) < 1 for ellipsoid in ellipsoids], axis=0)


def _squared_distance(ellipsoid: Ellipsoid, mm: Sequence[np.ndarray]) -> np.ndarray:
    """The squared distance from an ellipsoid's centre, 1 at its surface."""
    x, y, z = ((a - c) / r for a, c, r in zip(mm, ellipsoid.centre, ellipsoid.radii, strict=True))
    return x**2 + y**2 + z**2


def _above_tentorium(shape: Shape, affine: np.ndarray) -> np.ndarray:
    x, y = np.meshgrid(np.arange(shape[0]) + affine[0, 3], np.arange(shape[1]) + affine[1, 3], indexing="ij")
    surface = RBFInterpolator(TENTORIUM_MM[:, :2], TENTORIUM_MM[:, 2], neighbors=16, smoothing=1.0)
    height = surface(np.stack([np.abs(x), y], axis=-1).reshape(-1, 2)).reshape(x.shape)
    height[y > TENTORIUM_FRONT_MM] = -np.inf
    z = np.arange(shape[2]) + affine[2, 3]
    return z > height[..., None]
