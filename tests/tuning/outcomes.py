"""Outcomes of trainings that were never made."""

from tuning.statistics import METRICS


def outcome(*dice, seed=0, **more):
    """An outcome of subjects a, b, … with such Dice of GM, and 0.1 less of WM; every other metric is 1."""

    def scores(value):
        return {"dice": value, **{metric: 1.0 for metric in METRICS if metric != "dice"}}

    subjects = {
        subject_id: {"GM": scores(value), "WM": scores(value - 0.1)}
        for subject_id, value in zip("abcdef", dice, strict=False)
    }
    return {
        "subjects": subjects,
        "volume_seconds": 2.0,
        "training_minutes": 3.0,
        "steps": 10,
        "machine": "two cores",
        "cell": {"seed": seed},
        **more,
    }


UNTIMED = {"machine": None, "models": {}}
