"""When a run ends early."""

import numpy as np
import pytest

from tf_msgan.config import TrainingConfig
from tf_msgan.errors import InputError
from tf_msgan.training.build_model import build_model
from tf_msgan.training.callbacks import StopAtNonFinite
from tf_msgan.training.checkpoint import RunState
from tf_msgan.training.stopping import reason_to_stop


def state(*dice, seconds=60.0):
    history = [{"val_dice": value, "seconds": seconds} for value in dice]
    best = max(range(len(dice)), key=dice.__getitem__) if dice else -1
    return RunState(history, best, max(dice, default=-1.0))


def reason(state, max_minutes=None, **changes):
    return reason_to_stop(state, TrainingConfig(epochs=10, **changes), max_minutes)


def test_goes_on():
    assert reason(state()) is None
    assert reason(state(0.5, 0.4, 0.3)) is None


def test_all_epochs():
    assert reason(state(*[0.5] * 10)) == "all 10 epochs are done"


def test_patience_counts_epochs_since_the_best():
    assert reason(state(0.5, 0.4), patience=2) is None
    assert "no better validation Dice for 2 epochs, best in epoch 1" in reason(state(0.5, 0.4, 0.5), patience=2)
    assert reason(state(0.5, 0.4, 0.6), patience=2) is None


def test_minutes_are_for_epochs_that_end_in_time():
    assert reason(state(0.1, 0.2), max_minutes=3) is None
    assert "2.0 minutes spent" in reason(state(0.1, 0.2), max_minutes=2.9)
    assert reason(state(), max_minutes=0.01) is None


KERNEL = "refine/encoder_0_convolution_0/kernel"


def test_weights_that_are_not_finite_are_not_saved(tiny_config, tmp_path):
    """A gradient that overflows in an epoch's last step leaves finite losses behind."""
    model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), tiny_config)
    guard = StopAtNonFinite(tmp_path / "run")
    guard.set_model(model)
    guard.on_epoch_begin(2)
    guard.on_epoch_end(2)
    (kernel,) = [v for name, v in model.model_variables().items() if name == KERNEL]
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 1, np.nan, kernel))
    expected = rf"run: epoch 3, its end: found {KERNEL} .* not finite; expected finite .* checkpoint of epoch 2 stands"
    with pytest.raises(InputError, match=expected):
        guard.on_epoch_end(2)


def test_gradients_that_overflow_show_but_under_float16(tiny_config):
    """There alone the step is skipped."""
    for precision, skipped in (("float32", False), ("mixed_bfloat16", False), ("mixed_float16", True)):
        model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), tiny_config.with_training(precision=precision))
        model.norms.update_state({"noise_gradient": np.inf})
        assert np.isfinite(model.norms.result()["noise_gradient"]) == skipped
