"""Trials and their outcomes."""

from tf_msgan.config import PRESETS
from tuning.trials import Study

PAPER = PRESETS["paper"]


def outcome(dice, validation):
    return {"subjects": {"a": {"GM": {"dice": dice}}}, "val_dice": validation, "minutes": 2.0}


def test_failures_are_tried_again_unless_they_diverged(tmp_path):
    study = Study(tmp_path, None, None, None, "paper", (), PAPER, {})
    outcomes = {
        "good": {"val_dice": 0.5},
        "full": {"error": "runs/full: found No space left on device; expected a training that ends well"},
        "wild": {"error": "runs/wild: found d_loss = nan; expected a finite loss (a lower --lr may help)"},
    }
    for name, outcome in outcomes.items():
        study.write_outcome({"name": name, **outcome})
    study.forget_failures()
    assert [outcome["name"] for outcome in study.read_outcomes()] == ["good", "wild"]
