"""Reading and writing volumes, on real files."""

import gzip
import re

import nibabel as nib
import numpy as np
import pytest

from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import forms_apart, read_codes, read_grid, read_image
from tf_msgan.io.volumes import Volume
from tf_msgan.io.write_volumes import write_analyze, write_nifti


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_keeps_grid_and_affine(tmp_path, suffix):
    affine = np.array([[0, -1.5, 0, 10], [2, 0, 0, -3], [0, 0, 0.8, 7], [0, 0, 0, 1]])
    data = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    nib.save(nib.Nifti1Image(data, affine), tmp_path / f"scan{suffix}")
    volume = read_image(tmp_path / f"scan{suffix}")
    assert np.array_equal(volume.data, data)
    assert np.allclose(volume.affine, affine)
    assert volume.spacing == pytest.approx((2, 1.5, 0.8))


def save(path, data):
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    return path


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"no-such.*found no such file"):
        read_image(tmp_path / "no-such.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_nifti(tmp_path, suffix):
    path = save(tmp_path / f"scan{suffix}", np.random.default_rng(0).random((20, 20, 20)))
    truncate(path)
    with pytest.raises(InputError, match=r"scan.*truncated or damaged"):
        read_image(path)


def test_shape_is_read_from_the_header(tmp_path):
    path = save(tmp_path / "scan.nii.gz", np.ones((3, 4, 5, 1), np.float32))
    assert read_grid(path)[0] == (3, 4, 5)
    path.write_bytes(b"no header")
    with pytest.raises(InputError, match="scan"):
        read_grid(path)


def test_truncated_and_missing_analyze_data(tmp_path):
    path = tmp_path / "scan.img"
    write_analyze(path, np.ones((20, 20, 20), np.int16), (1, 1, 1))
    truncate(path)
    with pytest.raises(InputError, match="truncated or damaged"):
        read_image(path.with_suffix(".hdr"))
    path.unlink()
    with pytest.raises(InputError, match=r"scan\.hdr"):
        read_image(path.with_suffix(".hdr"))


def test_text_that_claims_to_be_a_scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_text("not a scan")
    with pytest.raises(InputError, match="scan"):
        read_image(path)
    with gzip.open(path, "wb") as file:
        file.write(b"not a scan either" * 100)
    with pytest.raises(InputError, match="scan"):
        read_image(path)


def test_not_finite(tmp_path):
    data = np.ones((4, 4, 4))
    data[0, 0, 0], data[1, 1, 1] = np.nan, np.inf
    with pytest.raises(InputError, match="found 2 voxels that are NaN or infinite"):
        read_image(save(tmp_path / "scan.nii", data))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 2), (4, 4, 4, 1, 3)])
def test_wrong_number_of_axes(tmp_path, shape):
    with pytest.raises(InputError, match="found shape"):
        read_image(save(tmp_path / "scan.nii", np.ones(shape, np.float32)))


@pytest.mark.parametrize("value", [2.5, 1.1, 1.01, np.nan, np.inf, 1e12])
def test_codes_must_be_whole(tmp_path, value):
    data = np.zeros((3, 3, 3), np.float32)
    data[1] = value
    with pytest.raises(InputError, match=re.escape(f"found the label value {np.float32(value):.7g}")):
        read_codes(save(tmp_path / "label.nii", data))


def test_codes_survive_float_storage(tmp_path):
    data = np.zeros((3, 3, 3), np.float32)
    data[1], data[2] = 150, 250
    assert np.array_equal(read_codes(save(tmp_path / "label.nii", data)).data, data)


def volume(shape=(10, 10, 10), shift=0.0):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = shift
    return Volume(np.zeros(shape), affine, "some/file.nii")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_codes_survive_a_slope(tmp_path, dtype):
    """As nibabel stores floats with the header of an integer map."""
    codes = np.random.default_rng(0).integers(0, 5003, (9, 9, 9)) if dtype == np.int16 else np.arange(729) % 4
    codes = codes.reshape(9, 9, 9)
    integers = nib.Nifti1Image(codes.astype(dtype), np.eye(4))
    nib.save(nib.Nifti1Image(codes.astype(np.float64), np.eye(4), integers.header), tmp_path / "label.nii.gz")
    stored = nib.load(tmp_path / "label.nii.gz")
    assert stored.get_data_dtype() == dtype and not np.array_equal(stored.get_fdata(), codes)
    assert np.array_equal(read_codes(tmp_path / "label.nii.gz").data, codes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("quatern_b", 1.5), ("xyzt_units", 5), ("xyzt_units", 200), ("pixdim", np.nan), ("qoffset_x", np.nan)],
)
def test_a_damaged_field_beside_a_sound_sform_is_left_behind(tmp_path, field, value):
    affine = np.diag([1.0, 2, 3, 1])
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.uint8), affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=2)
    image.header[field] = value
    path = tmp_path / "scan.nii"
    with open(path, "wb") as file:
        file.write(image.header.binaryblock + b"\0" * 4 + image.dataobj.tobytes(order="F"))
    volume = read_image(path)
    assert forms_apart(path) == (0 if field == "xyzt_units" else np.inf)
    write_nifti(tmp_path / "written.nii.gz", volume.data, volume)
    written = nib.load(tmp_path / "written.nii.gz")
    assert np.array_equal(written.affine, affine) and np.array_equal(written.get_fdata(), volume.data)
    assert int(written.header["sform_code"]) == 2 and forms_apart(tmp_path / "written.nii.gz") == 0
