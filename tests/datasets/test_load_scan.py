"""Layouts and scans, on real files."""

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import save_nifti, tiny_brain
from tf_msgan.config import Preparation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import read_codes, read_image
from tf_msgan.io.write_volumes import write_analyze
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_scan_is_z_scored_in_its_own_brain(tiny_cohort):
    scan = load_scan(tiny_cohort, "1", with_labels=True)
    t1, _, classes = tiny_brain(1)
    # Analyze has its first axis from right to left, networks from left to right.
    t1, classes = t1[::-1], classes[::-1]
    assert np.array_equal(scan.mask, t1 != 0)
    assert np.array_equal(scan.labels, classes)
    assert scan.image.shape == (*t1.shape, 2) and scan.image.dtype == np.float32
    inside = scan.image[scan.mask]
    assert inside.mean(axis=0) == pytest.approx([0, 0], abs=1e-3)
    assert inside.std(axis=0) == pytest.approx([1, 1], abs=1e-2)
    assert not scan.image[~scan.mask].any()
    expected = (t1[t1 != 0] - t1[t1 != 0].mean()) / t1[t1 != 0].std()
    assert scan.image[..., 0][scan.mask] == pytest.approx(expected, abs=1e-4)


def test_statistics_do_not_pass_between_subjects(tiny_folder):
    """Brightening one subject must leave the others as they are."""
    before = load_scan(read_cohort(tiny_folder, "iseg"), "2", with_labels=False).image
    path = tiny_folder / "subject-1-T1.img"
    path.write_bytes((np.frombuffer(path.read_bytes(), np.int16) * 3).astype(np.int16).tobytes())
    assert np.array_equal(load_scan(read_cohort(tiny_folder, "iseg"), "2", with_labels=False).image, before)


def test_constant_and_empty_scans(tiny_folder):
    cohort = read_cohort(tiny_folder, "iseg")
    path = tiny_folder / "subject-1-T1.img"
    voxels = np.frombuffer(path.read_bytes(), np.int16)
    path.write_bytes(np.where(voxels, 7, 0).astype(np.int16).tobytes())
    with pytest.raises(InputError, match="found the constant 7"):
        load_scan(cohort, "1", with_labels=False)
    path.write_bytes(np.zeros_like(voxels).tobytes())
    with pytest.raises(InputError, match="found only zeros"):
        load_scan(cohort, "1", with_labels=False)


def test_albert(albert):
    assert list(albert.subjects) == [f"{n:02}" for n in range(1, 15)]
    scan = load_scan(albert, "11", with_labels=True)
    assert scan.image.shape == (117, 159, 126, 2)
    assert scan.spacing == pytest.approx((0.859375,) * 3)
    assert set(np.unique(scan.labels)) == {0, 1, 2, 3, IGNORE}

    # Its files are LAS.
    codes = np.asanyarray(nib.load(albert.subjects["11"].label).dataobj)[::-1]
    assert (scan.labels[codes == 8] == IGNORE).all() and (scan.labels[codes == 6] == IGNORE).all()
    assert (scan.labels[(codes == 0) & scan.mask] == 1).all()
    assert (scan.labels[(codes == 0) & ~scan.mask] == 0).all()
    assert (scan.labels[codes == 41] == 3).all() and (scan.labels[codes == 17] == 2).all()


def test_a_grid_too_fine_is_refused(tiny_folder):
    data = np.zeros((900, 900, 4), np.float32)
    data[10:20, 10:20] = np.arange(1, 11)[:, None]
    for kind in ("T1", "T2"):
        save_nifti(tiny_folder / f"subject-1-{kind}.nii", data, np.diag([1, 1, 9, 1]))
    with pytest.raises(InputError, match=r"subject-1-T1.nii: found .* voxels of 0.3 mm; expected at most 134,217,728"):
        load_scan(read_cohort(tiny_folder), "1", False, Preparation(resample=0.3))


def test_scribbles_that_resampling_erases_are_missed(tiny_folder):
    path = tiny_folder / "subject-1-label.hdr"
    codes = np.zeros_like(read_codes(path).data, np.uint8)
    brain = np.argwhere(read_image(tiny_folder / "subject-1-T1.hdr").data)
    for at, code in zip(brain[len(brain) // 2 :], (10, 150, 250), strict=False):
        codes[tuple(at)] = code
    write_analyze(path.with_suffix(".img"), codes, (1, 1, 1))
    cohort = read_cohort(tiny_folder)
    assert np.count_nonzero(load_scan(cohort, "1", True).labels) == 3
    with pytest.raises(InputError, match=r"subject-1-label.* no labelled voxel left at 4 × 4 × 4 mm"):
        load_scan(cohort, "1", True, Preparation(resample=4.0))
