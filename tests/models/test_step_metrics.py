"""What a step counts, against the evaluation's own scores."""

import numpy as np
import pytest

from tf_msgan.evaluation.metrics import dice, mean_dice
from tf_msgan.models.step_metrics import TermMeans, TissueDice
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_keras_metric_agrees_over_batches():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (3, 4, 4, 4)).astype(np.uint8)
    truth[0, 0] = IGNORE
    probabilities = rng.dirichlet(np.ones(4), truth.shape).astype(np.float32)
    metric = TissueDice(("CSF", "GM", "WM"))
    metric.update_state(truth[:2], probabilities[:2])
    metric.update_state(truth[2:], probabilities[2:])
    predicted = probabilities.argmax(axis=-1)
    expected = {name: {"dice": dice(truth, predicted, n)} for n, name in enumerate(("CSF", "GM", "WM"), start=1)}
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
    means.update_state({"a": 1.0, "b": 4.0})
    means.update_state({"a": 3.0, "b": float("nan")})
    assert float(means.result()["a"]) == 2
    assert np.isnan(means.result()["b"])
    means.reset_state()
    means.update_state({"a": 5.0, "b": 6.0})
    # What a step does not have is not counted.
    means.update_state({"b": 6.0})
    assert {name: float(value) for name, value in means.result().items()} == {"a": 5, "b": 6}


def test_means_of_what_is_finite():
    means = TermMeans(("a", "b"), only_finite=True)
    means.update_state({"a": 1.0, "b": float("inf")})
    means.update_state({"a": 2.0, "b": 3.0})
    assert {name: float(value) for name, value in means.result().items()} == {"a": 1.5, "b": 3}
