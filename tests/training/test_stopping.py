"""When a run ends early."""

from tf_msgan.config import TrainingConfig
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
