"""Scores, against MedPy and SimpleITK, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medpy.metric.binary import dc

from tests.conftest import cube
from tf_msgan.evaluation.metrics import dice, mean_dice, mean_scores, score, volume_difference
from tf_msgan.preprocessing.reserved_values import IGNORE


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_matches_medpy(seed):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.integers(0, 4, (2, 5, 6, 7))
    for tissue in (1, 2, 3):
        assert dice(truth, prediction, tissue) == pytest.approx(dc(prediction == tissue, truth == tissue))


def test_by_hand():
    truth, prediction = np.array([1, 1, 1, 2]), np.array([1, 1, 2, 2])
    assert dice(truth, prediction, 1) == pytest.approx(2 * 2 / (3 + 2))
    assert dice(truth, prediction, 2) == pytest.approx(2 * 1 / (1 + 2))


def test_absent_tissue():
    """The Keras metric scores a rightly absent tissue 0; here it is right, and a wrongly present one is wrong."""
    assert dice(np.zeros(4, int), np.zeros(4, int), 1) == 1
    assert dice(np.zeros(4, int), np.array([0, 0, 0, 1]), 1) == 0
    assert dice(np.array([0, 0, 0, 1]), np.zeros(4, int), 1) == 0


def test_ignored_voxels_do_not_count():
    truth, prediction = np.array([1, 2, IGNORE, IGNORE]), np.array([1, 2, 1, 2])
    assert dice(truth, prediction, 1) == dice(truth, prediction, 2) == 1


def test_volume_difference_by_hand():
    small, large = cube((9, 9, 9), (0, 0, 0), 2), cube((9, 9, 9), (4, 4, 4), 4)
    assert volume_difference(small, large) == pytest.approx(100 * (64 - 8) / 8)
    assert volume_difference(large, small) == pytest.approx(100 * (64 - 8) / 64)


def test_scores_of_a_subject():
    """What is ignored belongs to neither map: without it they are equal."""
    truth = np.zeros((8, 8, 8), np.uint8)
    truth[2:6], truth[6:] = 1, 2
    prediction = truth.copy()
    prediction[5:, :2] = 3
    ignoring = np.where(prediction == 3, IGNORE, truth)
    scores = score(ignoring, prediction, ("CSF", "GM", "WM"), (1, 1, 1))
    assert list(scores) == ["CSF", "GM", "WM"]
    for values in scores.values():
        assert values == {"dice": 1, "hd95_mm": 0, "mhd_mm": 0, "asd_mm": 0, "avd_percent": 0}
    worse = score(truth, prediction, ("CSF", "GM", "WM"), (1, 1, 1))
    assert worse["WM"]["avd_percent"] == 100 and worse["WM"]["dice"] == 0
    assert worse["GM"]["hd95_mm"] > 0 and worse["GM"]["dice"] < 1


def test_means_are_over_subjects():
    scores = {"a": {"CSF": {"dice": 0.2}, "GM": {"dice": 0.6}}, "b": {"CSF": {"dice": 0.4}, "GM": {"dice": 0.8}}}
    mean = mean_scores(scores)
    assert mean["CSF"]["dice"] == pytest.approx(0.3) and mean["GM"]["dice"] == pytest.approx(0.7)
    assert mean_dice(mean) == pytest.approx(0.5)
