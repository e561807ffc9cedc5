"""Means, and differences that are paired."""

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from tests.tuning.outcomes import UNTIMED, outcome
from tuning.statistics import gap_closed, paired, same_seeds, summary, values
from tuning.tables import format_tables


def test_means_are_over_seeds_and_subjects():
    outcomes = [outcome(0.8, 0.9), outcome(0.7, 0.6)]
    assert values(outcomes, "GM", "dice").tolist() == [0.8, 0.9, 0.7, 0.6]
    assert summary(outcomes, "GM", "dice") == pytest.approx((0.75, math.sqrt(0.05 / 3)))
    assert summary(outcomes, "mean", "dice")[0] == pytest.approx(0.7)
    assert summary([outcome(0.8)], "GM", "dice") == (0.8, 0.0)


def test_differences_are_paired():
    ours = [outcome(0.8, 0.9, 0.5), outcome(0.7, 0.62, 0.5, seed=1), outcome(0.1, 0.1, 0.1, seed=2)]
    theirs = [outcome(0.7, 0.85, 0.56), outcome(0.69, 0.6, 0.52, seed=1)]
    found = paired(ours, theirs, "GM", "dice")
    # A subject counts once, however many seeds there are.
    of_subjects = [(0.1 + 0.01) / 2, (0.05 + 0.02) / 2, (-0.06 - 0.02) / 2]
    assert found.mean == pytest.approx(np.mean(of_subjects))
    assert (found.above, found.subjects) == (2, 3)
    assert found.p == pytest.approx(wilcoxon(of_subjects).pvalue) == pytest.approx(0.75)
    assert paired(ours, ours, "GM", "dice") == (0.0, 0, 3, 1.0)
    reference = outcome(0.7, 0.7, 0.7)
    del reference["cell"]
    with_reference = paired(ours[:2], [reference], "GM", "dice")
    assert with_reference.mean == pytest.approx(np.mean([0.1, 0.2, -0.2, 0, -0.08, -0.2]))
    assert with_reference.subjects == 3


def test_gap_by_hand():
    assert gap_closed(0.8, 0.9, 0.88) == pytest.approx(0.8)
    assert gap_closed(0.8, 0.9, 0.7) == pytest.approx(-1)


def test_rows_of_a_table_are_of_the_same_seeds():
    reference = {"subjects": outcome(0.5)["subjects"], "machine": "two cores", "volume_seconds": 1.0}
    seeds = [outcome(dice, seed=seed) for seed, dice in enumerate((0.8, 0.9, 0.95))]
    found = same_seeds({"unet": seeds[:2], "multi-stage": [outcome(0.82, seed=2), outcome(0.82)], "qda": [reference]})
    assert found == {"unet": seeds[:1], "multi-stage": [outcome(0.82)], "qda": [reference]}
    assert same_seeds({"unet": seeds[:1], "multi-stage": seeds[1:]}) == same_seeds({"qda": [reference]}) == {}

    # With its second seed U-Net would seem ahead.
    groups = {("qda", 2, ""): [reference], ("unet", 2, ""): seeds[:2], ("multi-stage", 2, ""): [outcome(0.82)]}
    groups |= {("unet", 9, ""): [outcome(0.84, seed=1)], ("multi-stage", 2, "EMA"): [outcome(0.7, seed=1)]}
    text = format_tables(groups, ("GM", "WM"), 2, UNTIMED)
    assert "### Dice (seed 0)" in text and "| multi-stage | **0.820 ± 0.000** |" in text
    assert "| multi-stage − unet | +0.0200" in text
    # What has no seed in common is not set side by side.
    assert "number of labelled" not in text and "Ablation" not in text
