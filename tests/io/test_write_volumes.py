"""Volumes as they are written."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_msgan.io.read_volumes import read_image
from tf_msgan.io.write_volumes import write_analyze, write_nifti


def test_header_codes_survive(tmp_path):
    """A file with a qform alone, and one with neither form."""
    data = np.zeros((4, 5, 6), np.float32)
    for name, qform, sform in (("q", 1, 0), ("s", 0, 2), ("both", 1, 4), ("none", 0, 0)):
        image = nib.Nifti1Image(data, None if name == "none" else np.diag([2.0, -3, 4, 1]))
        if name == "none":
            image.header.set_zooms((2, 3, 4))
        else:
            image.set_qform(image.affine, qform)
            image.set_sform(image.affine, sform)
        path = tmp_path / f"{name}.nii.gz"
        nib.save(image, path)
        source = nib.load(path)
        write_nifti(tmp_path / "out.nii.gz", np.ones((4, 5, 6), np.uint8), read_image(path))
        written = nib.load(tmp_path / "out.nii.gz")
        assert np.array_equal(written.affine, source.affine), name
        assert (written.header["qform_code"], written.header["sform_code"]) == (qform, sform)
        assert written.header.get_zooms() == source.header.get_zooms()


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    dtype=st.sampled_from([np.uint8, np.int16]),
    spacing=st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * 3),
    seed=st.integers(0, 1000),
)
def test_analyze_round_trip(tmp_path_factory, shape, dtype, spacing, seed):
    data = np.random.default_rng(seed).integers(0, 255, shape).astype(dtype)
    path = tmp_path_factory.mktemp("analyze") / "subject-1-T1.img"
    write_analyze(path, data, spacing)
    volume = read_image(path.with_suffix(".hdr"))
    assert volume.data.dtype == np.float32
    assert np.array_equal(volume.data, data)
    assert volume.spacing == pytest.approx(spacing)
    image = nib.load(path)
    assert image.shape == (*shape, 1) and image.get_data_dtype() == dtype
    assert sorted(p.name for p in path.parent.iterdir()) == ["subject-1-T1.hdr", "subject-1-T1.img"]
