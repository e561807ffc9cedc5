"""Test subjects, on their own grids."""

import numpy as np
import pytest

from tests.conftest import cube, save_nifti
from tf_msgan.config import STRIPPED
from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.splits import Split
from tf_msgan.evaluation.tested import read_tested


def test_millimetres_are_those_of_the_files_axes(tmp_path):
    """Slices of 3 mm, stored with the axes posterior, inferior, right."""
    affine = np.array([[0, 0, 3, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
    image = save_nifti(tmp_path / "a_T1.nii.gz", np.arange(1, 513, dtype=np.int16).reshape(8, 8, 8), affine)
    codes = cube((8, 8, 8), (2, 2, 2), 3)
    label = save_nifti(tmp_path / "a_label.nii.gz", codes.astype(np.uint8), affine)
    labels, subject = LabelTable(("brain",), {0: 0, 1: 1}), Subject("a", (image,), label)
    cohort = Cohort("nnunet", tmp_path, ("T1",), labels, {"a": subject})
    (tested,) = read_tested(cohort, Split((), (), (), ("a",)), STRIPPED)
    for axis, mm in enumerate((1, 1, 3)):
        scores = tested.score(np.roll(codes, 1, axis).astype(np.uint8), ("brain",))["brain"]
        assert scores["hd95_mm"] == mm and scores["dice"] == pytest.approx(2 / 3)
