"""Dice, against MedPy and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medpy.metric.binary import dc

from tf_msgan.data.labels import IGNORE
from tf_msgan.evaluation.metrics import dice, mean_dice, mean_scores, score
from tf_msgan.training.metrics import TermMeans, TissueDice


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


def test_means_are_over_subjects():
    scores = {"a": {"CSF": {"dice": 0.2}, "GM": {"dice": 0.6}}, "b": {"CSF": {"dice": 0.4}, "GM": {"dice": 0.8}}}
    mean = mean_scores(scores)
    assert mean["CSF"]["dice"] == pytest.approx(0.3) and mean["GM"]["dice"] == pytest.approx(0.7)
    assert mean_dice(mean) == pytest.approx(0.5)


def test_keras_metric_agrees_over_batches():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (3, 4, 4, 4)).astype(np.uint8)
    truth[0, 0] = IGNORE
    probabilities = rng.dirichlet(np.ones(4), truth.shape).astype(np.float32)
    metric = TissueDice(("CSF", "GM", "WM"))
    metric.update_state(truth[:2], probabilities[:2])
    metric.update_state(truth[2:], probabilities[2:])
    expected = score(truth, probabilities.argmax(axis=-1), ("CSF", "GM", "WM"))
    result = {name: float(value) for name, value in metric.result().items()}
    for name in ("CSF", "GM", "WM"):
        assert result[f"dice_{name}"] == pytest.approx(expected[name]["dice"])
    assert result["dice"] == pytest.approx(mean_dice(expected))
    metric.reset_state()
    assert float(metric.result()["dice"]) == 1


def test_keras_metric_counts_every_tissue():
    """The ancestor chose its best model without CSF."""
    metric = TissueDice(("CSF", "GM", "WM"))
    truth = np.array([1, 2, 3]).reshape(1, 3, 1, 1)
    metric.update_state(truth, np.eye(4, dtype=np.float32)[[0, 2, 3]].reshape(1, 3, 1, 1, 4))
    assert float(metric.result()["dice"]) == pytest.approx(2 / 3)


def test_means_of_terms():
    means = TermMeans(("a", "b"))
    means.update_state([1.0, 4.0])
    means.update_state([3.0, float("nan")])
    assert float(means.result()["a"]) == 2
    assert np.isnan(means.result()["b"])
    means.reset_state()
    means.update_state([5.0, 6.0])
    assert {name: float(value) for name, value in means.result().items()} == {"a": 5, "b": 6}


def test_means_of_what_is_finite():
    means = TermMeans(("a", "b"), only_finite=True)
    means.update_state([1.0, float("inf")])
    means.update_state([2.0, 3.0])
    assert {name: float(value) for name, value in means.result().items()} == {"a": 1.5, "b": 3}
