"""Writes volumes: NIfTI and Analyze 7.5, through nibabel."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from tf_msgan.io.atomic_files import atomic_write
from tf_msgan.io.read_volumes import UNREADABLE_FIELD
from tf_msgan.io.volumes import Spacing, Volume


def image_on_grid(data: np.ndarray, reference: Volume) -> nib.Nifti1Image:
    """An image of `data`, `(i, j, k)` or `(i, j, k, channel)`, in its dtype, on the grid of `reference`: the same
    affine, and for a NIfTI file the same qform and sform with their codes, and units, as far as they are sound."""
    image = nib.Nifti1Image(data, reference.affine)
    header = reference.header
    if header is not None:
        with contextlib.suppress(*UNREADABLE_FIELD), np.errstate(all="ignore"):
            qform, code = header.get_qform(coded=True)
            if qform is None or np.isfinite(qform).all():
                image.set_qform(qform, code)
        image.set_sform(*header.get_sform(coded=True))
        with contextlib.suppress(*UNREADABLE_FIELD):
            image.header.set_xyzt_units(*header.get_xyzt_units())
    return image


def write_nifti(path: Path, data: np.ndarray, reference: Volume) -> None:
    """Writes `image_on_grid` as NIfTI."""
    _save(image_on_grid(data, reference), path)


def write_new_nifti(path: Path, data: np.ndarray, spacing: Sequence[float] | np.ndarray) -> None:
    """Writes `data` `(i, j, k)` as NIfTI in its dtype, axes L→R, P→A, I→S with voxels of `spacing` mm, centred on the
    scanner's origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(data.shape) - 1) / 2 * spacing
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    _save(image, path)


def _save(image: nib.Nifti1Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        nib.save(image, temporary)


def write_analyze(path: Path, data: np.ndarray, spacing: Spacing) -> None:
    """Writes `data` `(i, j, k)` with voxels of `spacing` mm as an Analyze 7.5 pair `PATH.hdr`, `PATH.img` of shape
    `(i, j, k, 1)`, in its dtype."""
    header = nib.AnalyzeHeader()
    header.set_data_dtype(data.dtype)
    header.set_data_shape((*data.shape, 1))
    header.set_zooms((*spacing, 1.0))
    with (
        atomic_write(path.with_suffix(".img")) as image_path,
        atomic_write(path.with_suffix(".hdr")) as header_path,
        open(image_path, "wb") as image_file,
        open(header_path, "wb") as header_file,
    ):
        header.write_to(header_file)
        header.data_to_fileobj(data[..., None], image_file)
