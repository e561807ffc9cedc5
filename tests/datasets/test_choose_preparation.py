"""What is chosen of the preparation, from the training subjects alone."""

import numpy as np
import pytest

from tests.conftest import CODES, save_nifti, tiny_brain
from tf_msgan.config import Preparation
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan


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
