"""Means, spreads and paired differences over seeds and subjects."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from scipy.stats import wilcoxon

from tf_msgan.evaluation.metrics import DISTANCES
from tuning.outcomes import Outcome

METRICS = {"dice": "Dice", **DISTANCES}
Key = TypeVar("Key")
# Outcomes by (model, labelled, without), one a seed.
Groups = dict[tuple[str, int, str], list[Outcome]]


def values(outcomes: Sequence[Outcome], tissue: str, metric: str) -> np.ndarray:
    """Returns `(seed × subject,)` values of a metric; outcomes are of one model, subjects in one order.

    `tissue` may be "mean": over the tissues of each subject.
    """
    return np.array(
        [
            np.mean([scores[metric] for scores in subject.values()]) if tissue == "mean" else subject[tissue][metric]
            for outcome in outcomes
            for subject in outcome["subjects"].values()
        ]
    )


def summary(outcomes: Sequence[Outcome], tissue: str, metric: str) -> tuple[float, float]:
    """Returns mean and standard deviation (of a sample) over seeds and subjects."""
    found = values(outcomes, tissue, metric)
    return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else 0.0


class Difference(NamedTuple):
    """Of `subjects`: the mean of their differences, how many are `above` 0, and Wilcoxon's two-sided p."""

    mean: float
    above: int
    subjects: int
    p: float


def paired(outcomes: Sequence[Outcome], others: Sequence[Outcome], tissue: str, metric: str) -> Difference:
    """Returns how outcomes differ from others, subject by subject: of each the mean over the seeds, since seeds of one
    subject are not independent of each other.

    Seeds that only one of the two has do not count; an outcome without a seed, of a reference, is paired with every
    seed.
    """
    pairs = [(one, other) for one in outcomes for other in others if seed_of(other) in (None, seed_of(one))]
    ours, theirs = (values([pair[side] for pair in pairs], tissue, metric) for side in (0, 1))
    of_subjects = (ours - theirs).reshape(len(pairs), -1).mean(axis=0)
    count = len(of_subjects)
    p = float(wilcoxon(of_subjects).pvalue) if np.any(of_subjects) and count > 1 else 1.0
    return Difference(float(of_subjects.mean()), int((of_subjects > 0).sum()), count, p)


def same_seeds(groups: Mapping[Key, list[Outcome]]) -> dict[Key, list[Outcome]]:
    """Returns those outcomes of each list with the seeds that all lists have, so that rows of a table may be
    compared while some are still being made; outcomes without a seed, of references, stay. Empty if the lists have no
    seed in common.
    """
    seeds = [{seed_of(outcome) for outcome in outcomes} - {None} for outcomes in groups.values()]
    common = set.intersection(*filter(None, seeds)) if any(seeds) else set()
    if not common:
        return {}
    return {
        key: [outcome for outcome in outcomes if seed_of(outcome) in {None, *common}]
        for key, outcomes in groups.items()
    }


def trained_by_shots(groups: Groups) -> dict[tuple[str, int], list[Outcome]]:
    """Returns the outcomes of whole models by (model, labelled), and no references, with seeds that all have."""
    return same_seeds({key[:2]: found for key, found in groups.items() if not key[2] and "steps" in found[0]})


def seed_of(outcome: Outcome) -> int | None:
    """Returns the seed of a training, None of a reference."""
    return outcome.get("cell", {}).get("seed")


def gap_closed(few: float, many: float, ours: float) -> float:
    """Returns the share of the gap between a baseline with few labels and with many that ours, with few, closes; may be
    below 0 or above 1."""
    return (ours - few) / (many - few)
