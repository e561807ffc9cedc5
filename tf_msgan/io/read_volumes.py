"""Reads volumes: Analyze 7.5 and NIfTI, through nibabel.

Reading keeps the file's own axes and affine; nothing is reoriented or resampled.
"""

import contextlib
import gzip
import logging
import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from tf_msgan.errors import InputError
from tf_msgan.io.folders import is_there
from tf_msgan.io.volumes import Shape, Volume, corners_apart

LOGGER = logging.getLogger(__name__)

SUFFIXES = (".nii.gz", ".nii", ".hdr")

# A header may claim any size: 512³ voxels are a brain at 0.35 mm.
MOST_VOXELS = 512**3
# The least and the greatest side of a voxel.
SPACING_MM = (0.05, 30.0)

# What nibabel raises at an invalid quaternion, or at a unit that NIfTI has not; the sform may be sound all the same.
UNREADABLE_FIELD = (ValueError, KeyError, nib.spatialimages.HeaderDataError)

# Codes that nibabel and SPM store with a slope come back off by half of it. Up to this one they are told all the same:
# it is 0.08 for FreeSurfer's in 16 bits.
STEEPEST = 0.1


def find_volume(folder: Path, name: str) -> Path | None:
    """The volume called `name`, with whichever of `SUFFIXES` comes first. A link to nothing counts, as before
    `git annex get`: reading it says so, while a label map that seems not to be there would make its subject an
    unlabelled one.

    Raises:
        InputError: the folder may not be searched.
    """
    paths = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if is_there(path) or path.is_symlink()), None)


def read_image(path: Path) -> Volume:
    """Reads a scan as float32.

    Raises:
        InputError: the file is missing, damaged or not a 3-D volume of real numbers (a fourth axis of length 1 is
            dropped), its affine is none, or it has voxels that are not finite.
    """
    volume, _ = _read(path, np.float32)
    return _check_finite(volume)


def volume_of_image(image: nib.spatialimages.SpatialImage, name: str) -> Volume:
    """`read_image` of an image that nibabel has read, or made; `name` is what it is called without a file name."""
    path = Path(image.get_filename() or name)
    with _refusing_damage(path), np.errstate(all="ignore"):
        return _check_finite(_take(image, path, np.float32))


def read_codes(path: Path) -> Volume:
    """Reads a label map's own codes as int32.

    Raises:
        InputError: as `read_image`, or a code is not a whole number, but for the rounding of a header's scaling.
    """
    volume, slope = _read(path, np.float64)
    # Beside half the slope, what its own rounding to single precision comes to.
    off = slope / 2 + 1e-3 if slope < STEEPEST else 0.0
    with np.errstate(invalid="ignore"):
        codes = np.rint(volume.data)
        whole = (np.abs(volume.data - codes) <= off) & (np.abs(codes) < 2**31)
    if not whole.all():
        raise InputError(path, f"the label value {volume.data[~whole][0]:.7g}", "whole numbers")
    return replace(volume, data=codes.astype(np.int32))


def read_grid(path: Path) -> tuple[Shape, np.ndarray]:
    """Reads a volume's shape `(i, j, k)` and affine from its header alone; raises as `read_image`."""
    with _refusing_damage(path):
        image = _open(path)
        return _check_header(image, path), np.asarray(image.affine, np.float64)


def _read(path: Path, dtype: npt.DTypeLike) -> tuple[Volume, float]:
    """The volume, and the size of the slope by which its header scales what is stored."""
    with _refusing_damage(path), np.errstate(all="ignore"):
        image = _open(path)
        volume = _take(image, path, dtype)
        _check_gzip(path, image)
        LOGGER.debug("read %s: %s voxels, %s mm", path, volume.data.shape, np.round(volume.spacing, 3))
        return volume, abs(getattr(image.dataobj, "slope", 1.0))


def _take(image: nib.spatialimages.SpatialImage, path: Path, dtype: npt.DTypeLike) -> Volume:
    # Before any voxel is read: a header may claim any size.
    shape = _check_header(image, path)
    data = np.asanyarray(image.dataobj).reshape(shape).astype(dtype, copy=False)
    header = image.header if isinstance(image, nib.Nifti1Pair) else None
    return Volume(data, np.asarray(image.affine, np.float64), path, header)


def _check_finite(volume: Volume) -> Volume:
    bad = np.count_nonzero(~np.isfinite(volume.data))
    if bad:
        raise InputError(volume.path, f"{bad} voxels that are NaN or infinite", "finite intensities")
    return volume


def _open(path: Path) -> nib.spatialimages.SpatialImage:
    expected = f"a volume ({', '.join(SUFFIXES)})"
    if path.is_dir():
        raise InputError(path, "a folder", expected)
    if not path.is_file():
        raise InputError(path, "a link to no file" if path.is_symlink() else "no such file", expected)
    image = nib.load(path)
    if not isinstance(image, nib.spatialimages.SpatialImage):
        raise InputError(path, type(image).__name__, "an Analyze or NIfTI volume")
    return image


def _check_header(image: nib.spatialimages.SpatialImage, path: Path) -> Shape:
    """The shape `(i, j, k)` of an image that can be read."""
    shape = image.shape[:3] if image.shape[3:] in ((), (1,)) else image.shape
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(path, f"shape {image.shape}", "three axes (i, j, k), or a fourth of length 1")
    if math.prod(map(int, shape)) > MOST_VOXELS:
        raise InputError(path, f"shape {image.shape}", f"at most {MOST_VOXELS:,} voxels")
    dtype = getattr(image.dataobj, "dtype", image.get_data_dtype())
    if dtype.names or dtype.kind not in "iuf":
        raise InputError(path, f"voxels of type {'RGB' if dtype.names else dtype}", "real numbers")
    if image.affine is None:
        raise InputError(path, "no affine", "one that takes voxels to mm")
    _check_affine(path, np.asarray(image.affine, np.float64))
    return shape


def _check_gzip(path: Path, image: nib.spatialimages.SpatialImage) -> None:
    """Reads a compressed file to its end, where its checksum is: nibabel stops after the last voxel. What goes on much
    longer than the voxels is not followed."""
    if path.suffix != ".gz":
        return
    left = math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize + 2**20
    with gzip.open(path) as file:
        while left > 0 and (chunk := file.read(2**22)):
            left -= len(chunk)


def _check_affine(path: Path, affine: np.ndarray) -> None:
    found = f"the affine {np.array2string(affine[:3], precision=3).replace(chr(10), '')}"
    with np.errstate(all="ignore"):
        spacing = nib.affines.voxel_sizes(affine)
        volume = abs(np.linalg.det(affine[:3, :3])) / np.prod(spacing) if np.isfinite(affine).all() else 0.0
    # The volume of a voxel of unit sides: 0 where axes fall together.
    if not volume > 1e-3:
        raise InputError(path, found, "a finite one that can be inverted")
    low, high = SPACING_MM
    if not (spacing.min() >= low and spacing.max() <= high):
        raise InputError(path, f"voxels of {' × '.join(f'{mm:.3g}' for mm in spacing)} mm", f"{low:g} to {high:g} mm")


@contextlib.contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    """Turns what nibabel and the decompressors raise into an `InputError`. nibabel logs what it mends in a header; a
    file that is accepted needs no word, and one that is not gets its own."""

    def drop(record: logging.LogRecord) -> bool:
        return False

    nib.imageglobals.logger.addFilter(drop)
    try:
        yield
    except InputError:
        raise
    except PermissionError:
        raise InputError(path, "no permission to read it", "a file that can be read") from None
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError) as error:
        raise InputError(path, f"a header that cannot be read ({error})", "an Analyze or NIfTI volume") from None
    except (OSError, EOFError, ValueError, TypeError, OverflowError, zlib.error) as error:
        raise InputError(path, f"a truncated or damaged file ({error})", "a whole Analyze or NIfTI volume") from None
    finally:
        nib.imageglobals.logger.removeFilter(drop)


def forms_apart(path: Path) -> float:
    """How far, in mm, the qform and the sform of a volume put some corner of it apart; 0 without both, infinite where
    the qform is not valid. Raises as `read_image`."""
    with _refusing_damage(path), np.errstate(all="ignore"):
        image = _open(path)
        shape = _check_header(image, path)
        if not isinstance(image, nib.Nifti1Pair):
            return 0.0
        try:
            forms = image.get_qform(coded=True)[0], image.get_sform(coded=True)[0]
        except UNREADABLE_FIELD:
            return math.inf
        if any(form is None for form in forms):
            return 0.0
        apart = corners_apart(shape, *forms)
        return apart if math.isfinite(apart) else math.inf
