"""The learning rate, by hand."""

import math

import pytest

from tf_msgan.config import TrainingConfig
from tf_msgan.training.schedule import make_schedule


def rates(steps, **changes):
    schedule = make_schedule(TrainingConfig(epochs=11, steps_per_epoch=10, lr=0.2, warmup_steps=10, **changes))
    return [float(schedule(step)) for step in steps]


def test_warm_up_is_linear():
    assert rates([0, 1, 5, 10]) == pytest.approx([0, 0.02, 0.1, 0.2])


def test_cosine():
    """100 steps from 0.2 down to a tenth of it."""
    expected = [0.02 + 0.18 * (1 + math.cos(math.pi * share)) / 2 for share in (0.25, 0.5, 1)]
    assert rates([35, 60, 110], final_lr=0.1) == pytest.approx(expected)
    assert rates([500], final_lr=0.1) == pytest.approx([0.02])


def test_poly():
    assert rates([35, 60, 110], schedule="poly") == pytest.approx([0.2 * 0.75**0.9, 0.2 * 0.5**0.9, 0], abs=1e-7)


def test_constant():
    assert rates([10, 60, 110], final_lr=1.0) == pytest.approx([0.2] * 3)


def test_no_warm_up():
    schedule = make_schedule(TrainingConfig(epochs=1, steps_per_epoch=10, lr=0.2, warmup_steps=0))
    assert float(schedule(0)) == pytest.approx(0.2)
