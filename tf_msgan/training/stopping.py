"""When a run ends before its last epoch."""

from tf_msgan.config import TrainingConfig
from tf_msgan.training.checkpoint import RunState


def reason_to_stop(state: RunState, training: TrainingConfig, max_minutes: float | None) -> str | None:
    """Returns why the run ends here, in words, or None if it goes on.

    Args:
        state: of the run, at the end of an epoch.
        training: its plan.
        max_minutes: of training in all, resumed parts included; an epoch that would end later is not begun.
    """
    if state.epoch >= training.epochs:
        return f"all {training.epochs} epochs are done"
    if not state.history:
        return None
    waited = state.epoch - 1 - state.best_epoch
    if training.patience and waited >= training.patience:
        return f"no better validation Dice for {waited} epochs, best in epoch {state.best_epoch + 1}"
    spent = sum(row["seconds"] for row in state.history)
    if max_minutes is not None and spent + state.history[-1]["seconds"] > max_minutes * 60:
        return f"{spent / 60:.1f} minutes spent, and another epoch would go beyond {max_minutes:g}"
    return None
