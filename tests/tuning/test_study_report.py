"""The tables of a study."""

from tuning.study_report import factor_table


def outcome(dice, validation):
    return {"subjects": {"a": {"GM": {"dice": dice}}}, "val_dice": validation, "minutes": 2.0}


def test_factor_table_by_hand():
    by_value = {20: [outcome(0.7, 0.9), outcome(0.8, 0.9)], 80: [outcome(0.9, 0.8), outcome(0.9, 0.8)]}
    table = factor_table("epochs", by_value, ["GM", "mean"])
    assert table["rows"] == [
        ["20", "0.750 ± 0.071", "0.750 ± 0.071", "0.900 ± 0.000", 2, "2.0"],
        ["80 (their best)", "0.900 ± 0.000", "0.900 ± 0.000", "0.800 ± 0.000", 2, "2.0"],
    ]
    assert table["best"] == [(1, 1), (1, 2), (0, 3)]
