"""What is checked before training, and what is chosen from the training subjects alone."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import CODES, save_nifti, tiny_brain
from tf_msgan.config import Preparation
from tf_msgan.datasets.check_scans import check_scans
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import read_codes, read_image
from tf_msgan.io.write_volumes import write_analyze


def test_a_scan_in_two_roles_is_refused_whatever_it_is_called(tiny_folder, tiny_split):
    """Test subject 5 is unlabelled subject 6 converted to NIfTI and compressed anew."""
    original = nib.load(tiny_folder / "subject-5-T2.hdr")
    check_scans(read_cohort(tiny_folder), tiny_split)
    for path in tiny_folder.glob("subject-6-T2.*"):
        path.unlink()
    copy = tiny_folder / "subject-6-T2.nii"
    nib.save(nib.Nifti1Image(np.asanyarray(original.dataobj), original.affine), copy)
    (tiny_folder / "subject-6-T2.nii.gz").write_bytes(gzip.compress(copy.read_bytes(), 1))
    copy.unlink()
    with pytest.raises(InputError, match=r"subject-5-T2.hdr: found the scan of .*subject-6-T2.nii.gz again"):
        check_scans(read_cohort(tiny_folder), tiny_split)


def test_a_test_subject_that_cannot_be_prepared_is_refused(tiny_folder, tiny_split):
    """Training does not prepare it, and would have ended before that shows."""
    t1, t2, classes = tiny_brain(5)
    cohort = read_cohort(tiny_folder)

    def write(part, mm):
        for kind, data in (("T1", t1), ("T2", t2), ("label", CODES[classes])):
            write_analyze(tiny_folder / f"subject-5-{kind}.img", data[part], (mm, mm, mm))

    write(np.s_[:], 20)
    check_scans(cohort, tiny_split)
    with pytest.raises(InputError, match=r"subject-5-T1.hdr: found .* voxels of 0.3 mm; expected at most"):
        check_scans(cohort, tiny_split, Preparation(resample=0.3))
    pytest.importorskip("SimpleITK")
    check_scans(cohort, tiny_split, Preparation(n4=True))
    # A single slice.
    write(np.s_[:, :, 12:13], 1)
    check_scans(cohort, tiny_split)
    with pytest.raises(InputError, match=r"subject-5-T1.hdr: found a scan that N4 cannot correct"):
        check_scans(cohort, tiny_split, Preparation(n4=True))


def test_one_file_as_two_modalities_is_refused(tiny_folder, tiny_split):
    for suffix in ("hdr", "img"):
        shutil.copy(tiny_folder / f"subject-2-T1.{suffix}", tiny_folder / f"subject-2-T2.{suffix}")
    with pytest.raises(InputError, match=r"subject-2-T2.hdr: found the scan of .*subject-2-T1.hdr again"):
        check_scans(read_cohort(tiny_folder), tiny_split)


def test_nothing_of_a_test_subject_enters_the_preparation(tiny_folder, tiny_split):
    def choose():
        return choose_preparation(read_cohort(tiny_folder), tiny_split)

    before = choose()
    for number in (4, 5):
        for path in tiny_folder.glob(f"subject-{number}-*"):
            path.unlink()
        t1, t2, classes = tiny_brain(number)
        for kind, data in (("T1", t1), ("T2", t2), ("label", CODES[classes])):
            save_nifti(tiny_folder / f"subject-{number}-{kind}.nii", data, np.diag([1, 1, 4, 1]))
    assert choose() == before == Preparation(crop="brain", spacing=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(("air", "crop"), [(0, "brain"), (25, "nonzero")])
def test_heads_are_told_from_skull_stripped_scans(tmp_path, tiny_split, air, crop):
    description = '{"channel_names": {"0": "T1"}, "labels": {"CSF": 1, "GM": 2, "WM": 3}}'
    for number in range(1, 8):
        t1, _, classes = tiny_brain(number)
        # A head three times the brain's width.
        t1, classes = (np.pad(data, 20) for data in (t1, classes))
        t1[8:-8, 8:-8, 8:-8] += air
        save_nifti(tmp_path / "imagesTr" / f"{number}_0000.nii.gz", t1)
        if number < 6:
            save_nifti(tmp_path / "labelsTr" / f"{number}.nii.gz", classes)
    (tmp_path / "dataset.json").write_text(description)
    cohort = read_cohort(tmp_path)
    assert choose_preparation(cohort, tiny_split).crop == crop
    assert choose_preparation(cohort, tiny_split, crop="brain").crop == "brain"


def test_scribbles_in_a_head_do_not_make_it_a_brain(tmp_path, tiny_split):
    """Where all but a few voxels is to be ignored."""
    description = '{"channel_names": {"0": "T1"}, "labels": {"background": 0, "CSF": 1, "GM": 2, "WM": 3, "ignore": 4}}'
    for number in range(1, 8):
        t1, _, classes = tiny_brain(number)
        scribbles = np.where(np.arange(t1.size).reshape(t1.shape) % 7 == 0, classes, 4).astype(np.uint8)
        save_nifti(tmp_path / "imagesTr" / f"{number}_0000.nii.gz", t1 + 30)
        save_nifti(tmp_path / "labelsTr" / f"{number}.nii.gz", scribbles)
    (tmp_path / "dataset.json").write_text(description)
    assert choose_preparation(read_cohort(tmp_path), tiny_split).crop == "nonzero"


def test_resampling_makes_scans_alike(tmp_path, tiny_split):
    description = '{"channel_names": {"0": "T1"}, "labels": {"CSF": 1, "GM": 2, "WM": 3}}'
    (tmp_path / "dataset.json").write_text(description)
    for number in range(1, 8):
        t1, _, classes = tiny_brain(number)
        affine = np.diag([1, 1, 1 + number / 5, 1])
        save_nifti(tmp_path / "imagesTr" / f"{number}_0000.nii.gz", t1, affine)
        save_nifti(tmp_path / "labelsTr" / f"{number}.nii.gz", classes, affine)
    cohort = read_cohort(tmp_path)
    assert choose_preparation(cohort, tiny_split).spacing == (1.0, 1.0, 1.3)
    preparation = choose_preparation(cohort, tiny_split, resample=2.0)
    assert preparation.spacing == (2.0, 2.0, 2.0)
    scan = load_scan(cohort, "5", True, preparation)
    assert scan.spacing == (2.0, 2.0, 2.0) and scan.labels.shape == scan.mask.shape == (14, 16, 30)
    # As much of each tissue in mL as before, to the accuracy of such coarse voxels.
    whole = load_scan(cohort, "5", True)
    for tissue in (1, 2, 3):
        before, after = np.sum(whole.labels == tissue) * 2.0, np.sum(scan.labels == tissue) * 8.0
        assert after == pytest.approx(before, rel=0.15)


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
