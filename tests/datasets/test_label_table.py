"""From codes to classes."""

import numpy as np
import pytest

from tf_msgan.datasets.label_table import LabelTable, warn_of_sides
from tf_msgan.datasets.layouts.albert import LABELS as ALBERT_LABELS
from tf_msgan.datasets.layouts.iseg import LABELS as ISEG_LABELS
from tf_msgan.errors import InputError
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.reserved_values import IGNORE


def codes(values):
    return Volume(np.array(values, np.int32).reshape(-1, 1, 1), np.eye(4), "label.hdr")


def encode(table, values, brain=None):
    brain = np.ones((len(values), 1, 1), bool) if brain is None else np.array(brain).reshape(-1, 1, 1)
    return table.encode(codes(values), brain).ravel().tolist()


def test_iseg_codes_become_classes():
    assert encode(ISEG_LABELS, [0, 10, 150, 250, 150]) == [0, 1, 2, 3, 2]


def test_tissues_of_two_sides_are_told_by_their_names():
    both = ["Left-Thalamus", "Right-Thalamus", "ctx_lh_cuneus", "ctx_rh_cuneus", "R putamen", "L putamen"]
    for start in range(0, len(both), 2):
        (line,) = warn_of_sides(["CSF", *both[start : start + 2], "Left-Vessel", "Right", "Lesion", "lesion"])
        assert line.startswith(f"2 tissues of one side, such as {both[start]}: training mirrors patches")
    assert warn_of_sides(["CSF", *both])[0].startswith("6 tissues")
    assert warn_of_sides(["CSF", "Left-Vessel", "right", "Lesion", "lesion", *both[::2]]) == []


def test_unknown_value_is_refused_by_name():
    with pytest.raises(
        InputError, match=r"label\.hdr: found label values \[7, 99\]; expected only \[0, 10, 150, 250\]"
    ):
        encode(ISEG_LABELS, [0, 10, 150, 250, 99, 7])


def test_map_that_was_remapped_already_is_refused():
    """The ancestor's most reported trap: labels 0–3 where 0, 10, 150, 250 are meant give Dice 0."""
    with pytest.raises(InputError, match=r"found label values \[1, 2, 3\]"):
        encode(ISEG_LABELS, [0, 1, 2, 3])


def test_missing_tissue_is_refused():
    with pytest.raises(InputError, match="found no voxel of WM"):
        encode(ISEG_LABELS, [0, 10, 150])


def test_freesurfer_codes_of_albert():
    values = [4, 15, 3, 49, 60, 2, 41, 8, 47, 172, 16, 6]
    assert encode(ALBERT_LABELS, values) == [1, 1, 2, 2, 2, 3, 3, *[IGNORE] * 5]


def test_zero_is_outer_csf_inside_the_brain_alone():
    assert encode(ALBERT_LABELS, [0, 0, 3, 2], brain=[True, False, True, True]) == [1, 0, 2, 3]


def test_any_number_of_tissues():
    table = LabelTable(("A", "B"), {0: 0, 5: 1, 6: 2})
    assert encode(table, [6, 5, 0]) == [2, 1, 0]
