"""Layouts and scans, on real files."""

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import tiny_brain
from tf_msgan.datasets.check_scans import check_modalities, check_scans
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.errors import InputError
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_iseg_subjects(tiny_cohort):
    assert list(tiny_cohort.subjects) == ["1", "2", "3", "4", "5", "6", "7"]
    assert tiny_cohort.modalities == ("T1", "T2")
    assert [s.label is not None for s in tiny_cohort.subjects.values()] == [True] * 5 + [False] * 2


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


def test_converted_copies_read_the_same(tiny_cohort, tmp_path):
    for path in tiny_cohort.root.glob("*.hdr"):
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)[..., 0]
        nib.save(nib.Nifti1Image(data, image.affine), tmp_path / f"{path.stem}.nii.gz")
    converted = read_cohort(tmp_path, "iseg")
    assert list(converted.subjects) == list(tiny_cohort.subjects)
    one, other = (load_scan(cohort, "3", with_labels=True) for cohort in (converted, tiny_cohort))
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.labels, other.labels)
    assert one.spacing == pytest.approx(other.spacing)


def test_missing_modality(tiny_folder, tiny_split):
    for path in tiny_folder.glob("subject-4-T2.*"):
        path.unlink()
    cohort = read_cohort(tiny_folder, "iseg")
    with pytest.raises(InputError, match=r"found no T2 for subject 4; expected all of T1, T2"):
        check_modalities(cohort, tiny_split, may_lack_modality=False)
    check_modalities(cohort, tiny_split, may_lack_modality=True)
    check_scans(cohort, tiny_split)


def test_folder_without_subjects(tmp_path):
    for layout in ("iseg", "albert"):
        with pytest.raises(InputError, match="expected the"):
            read_cohort(tmp_path, layout)


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
