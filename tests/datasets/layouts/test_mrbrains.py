"""The layout of MRBrainS13."""

import numpy as np
import pytest

from tests.conftest import save_nifti, tiny_brain
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError
from tf_msgan.preprocessing.reserved_values import IGNORE


def write_mrbrains(root, training=2, test=2, coding="LabelsForTraining"):
    affine = np.diag([0.958, 0.958, 3.0, 1.0])
    for part, count in (("TrainingData", training), ("TestData", test)):
        for number in range(1, count + 1):
            folder = root / part / str(number)
            t1, t2, classes = tiny_brain(number + 10 * (part == "TestData"), shape=(30, 28, 10))
            save_nifti(folder / "T1.nii", t1 + 20, affine)
            save_nifti(folder / "T1_IR.nii", t2 + 20, affine)
            save_nifti(folder / "T2_FLAIR.nii", (t1 + t2) // 2 + 20, affine)
            save_nifti(folder / "T1_1mm.nii", np.ones((30, 28, 30), np.int16), np.eye(4))
            if part == "TrainingData":
                codes = np.array([0, 5, 1, 3], np.uint8)[classes]
                codes[classes == 2] = np.where(np.arange(np.sum(classes == 2)) % 2, 1, 2)
                codes[:8][classes[:8] > 0] = 7
                codes[:, :6][classes[:, :6] > 0] = 8
                if coding == "LabelsForTesting":
                    codes = np.array([0, 2, 2, 3, 3, 1, 1, 0, 0], np.uint8)[codes]
                save_nifti(folder / f"{coding}.nii", codes, affine)
    return root


def test_mrbrains(tmp_path):
    cohort = read_cohort(write_mrbrains(tmp_path, training=2, test=11))
    assert cohort.layout == "mrbrains" and cohort.modalities == ("T1", "T1_IR", "T2_FLAIR")
    assert list(cohort.subjects) == ["training-1", "training-2", *(f"test-{n}" for n in range(1, 12))]
    names = [path.name for path in cohort.subjects["test-10"].images]
    assert names == ["T1.nii", "T1_IR.nii", "T2_FLAIR.nii"]  # and never T1_1mm
    assert cohort.subjects["test-1"].label is None

    split = read_split(None, cohort)
    assert split.train == ("training-1",) and split.test == ("training-2",) and len(split.unlabeled) == 11
    preparation = choose_preparation(cohort, split)
    assert preparation.crop == "nonzero" and preparation.spacing == (0.958, 0.958, 3.0)
    assert preparation.block(32, 8) == (48, 48, 16) and preparation.block(64, 32) == (96, 96, 32)

    scan = load_scan(cohort, "training-1", True, preparation)
    assert set(np.unique(scan.labels)) == {0, 1, 2, 3, IGNORE}
    assert np.array_equal(scan.foreground, np.isin(scan.labels, [1, 2, 3]))
    unlabelled = load_scan(cohort, "test-1", False, preparation)
    assert 0.1 < unlabelled.foreground.mean() < 0.9 and unlabelled.mask.all()


def test_mrbrains_codings(tmp_path):
    """Eight structures are merged to three; the coding for tests has the three, and cannot tell what to ignore."""
    eight, three = (
        read_cohort(write_mrbrains(tmp_path / coding, coding=coding), "mrbrains")
        for coding in ("LabelsForTraining", "LabelsForTesting")
    )
    a, b = (load_scan(cohort, "training-1", True).labels for cohort in (eight, three))
    counted = a != IGNORE
    assert np.array_equal(a[counted], b[counted]) and not b[~counted].any() and (~counted).any()
    second = tmp_path / "LabelsForTraining" / "TrainingData" / "2"
    (second / "LabelsForTraining.nii").rename(second / "LabelsForTesting.nii")
    with pytest.raises(InputError, match="found labelled subjects with different codings"):
        read_cohort(tmp_path / "LabelsForTraining")


def test_heads_have_some_modalities(tmp_path):
    root = write_mrbrains(tmp_path)
    cohort = read_cohort(root, modalities=["T2_FLAIR", "T1"])
    assert cohort.modalities == ("T2_FLAIR", "T1") and cohort.crop == "nonzero"
    names = [[path.name.partition(".")[0] for path in subject.images] for subject in cohort.subjects.values()]
    assert names and all(each == ["T2_FLAIR", "T1"] for each in names)
