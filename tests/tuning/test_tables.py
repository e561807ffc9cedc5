"""The tables of a comparison."""

from tests.tuning.outcomes import UNTIMED, outcome
from tuning.statistics import Difference
from tuning.tables import change, format_tables


def test_a_small_p_is_not_printed_as_none():
    assert change(Difference(0.0123, 13, 13, 0.00049)) == "+0.0123 (13 of 13; p < 0.001)"
    assert change(Difference(-0.001, 1, 4, 0.1251)) == "-0.0010 (1 of 4; p 0.125)"


def test_tables_tell_the_best_the_gap_and_the_ablation():
    groups = {
        ("unet", 2, ""): [outcome(0.8, 0.82)],
        ("multi-stage", 2, ""): [
            outcome(0.9, 0.92),
            outcome(0.9, 0.92, seed=1, machine="a GPU", training_minutes=1.0, volume_seconds=0.5),
        ],
        ("unet", 9, ""): [outcome(0.92, 0.94)],
        ("multi-stage", 2, "EMA"): [outcome(0.85, 0.87)],
    }
    timed = {"machine": "a laptop", "models": {"unet": {"labels": 0.25, "game": 0.0, "validation": 1.0}}}
    text = format_tables(groups, ("GM", "WM"), 2, timed)
    assert "Steps were timed on a laptop." in text
    assert "| multi-stage | **0.910 ± 0.014** | **0.810 ± 0.014** |" in text
    assert "| 2 | GM | 0.8100 | 0.9300 | 0.9100 | +0.1200 | 0.83 |" in text
    small = format_tables({**groups, ("unet", 9, ""): [outcome(0.804, 0.824)]}, ("GM", "WM"), 2, UNTIMED)
    assert "| 2 | GM | 0.8100 | 0.8140 | 0.9100 | +0.0040 | – |" in small and "Steps were timed" not in small
    assert "–: a gap below 0.005" in small and "–: a gap" not in text
    shared = format_tables({key: [outcome(0.8)] for key in groups}, ("GM", "WM"), 2, UNTIMED)
    assert "| multi-stage | 0.800 ± 0.000 |" in shared and "**" not in shared
    assert "| without EMA | 0.8600 ± 0.0141 |" in text
    assert "multi-stage − unet | +0.1000" in text
    assert "| unet | 10 | 0.25 | – | 3.0 | 2.0 | two cores |" in text
    # Seconds of two machines have no mean.
    for row in ("3.0 | 2.0 | two cores", "1.0 | 0.5 | a GPU"):
        assert f"| multi-stage | 10 | – | – | {row} |" in text
