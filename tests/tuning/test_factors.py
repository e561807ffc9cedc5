"""The paper's tables."""

import math

import pytest

from tf_msgan.config import PRESETS
from tf_msgan.errors import InputError
from tuning.factors import FACTORS, PAPERS_BEST, plan_rows, scale_settings

PAPER = PRESETS["paper"]


def test_tables_are_the_papers():
    rows = plan_rows(FACTORS, None, 2, PAPER)
    assert len(rows) == len({row.name for row in rows}) == 2 * 3 * 4
    assert [row.seed for row in rows] == sorted(row.seed for row in rows)
    # The paper's best is in each table, and trained once.
    assert sum(row.begins_trial for row in rows) == 2 * (4 + 3 + 3)
    best = [row.trial for row in rows if row.seed == 1 and row.value == PAPERS_BEST[row.factor]]
    assert best == ["epochs-80-seed-1"] * 3
    assert [row.trial for row in plan_rows(["lr"], None, 1, PAPER)][-1] == "lr-0.0001-seed-0"
    assert [row.values for row in rows[:4]] == [{"training.epochs": n} for n in (20, 40, 60, 80)]
    # While one is varied, the others stay at the paper's best.
    training = PAPER.training
    assert {"epochs": training.epochs, "lr": training.lr, "batch_size": training.batch_size} == PAPERS_BEST
    assert training.final_lr == 1


def test_values_are_of_their_factors_type():
    (row,) = plan_rows(["epochs"], ["7"], 1, PAPER)
    assert row.value == 7 and isinstance(row.value, int)
    for factor, texts, found in (("epochs", ["2.5"], "2.5"), ("lr", ["-1"], "-1"), ("lr", ["1", "1.0"], "1 1.0")):
        with pytest.raises(InputError, match=f"found .*{found}"):
            plan_rows([factor], texts, 1, PAPER)


def test_scale_shrinks_steps_and_patches_alone():
    assert scale_settings(PAPER, 1) == ()
    scaled = PAPER.with_fields(scale_settings(PAPER, 0.125))
    assert (scaled.training.steps_per_epoch, scaled.training.patch) == (12, 16)
    assert (scaled.training.warmup_steps, scaled.loss.prediction_ramp_steps) == (12, 38)
    assert (
        scaled.with_training(steps_per_epoch=100, patch=32, warmup_steps=100).training == PAPER.training
        and scale_settings(scaled, 0.01)[-1] == "training.patch=16"
    )
    for scale in (0, 1.1, math.nan):
        with pytest.raises(InputError, match=r"^scale: found"):
            scale_settings(PAPER, scale)
