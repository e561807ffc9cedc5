"""How well a label map agrees with the truth."""

import numpy as np

from tf_msgan.data.labels import IGNORE


def dice(truth: np.ndarray, prediction: np.ndarray, tissue: int) -> float:
    """Eq. 15: 2 · overlap / (sum of sizes) of one tissue in one subject, 0..1.

    Args:
        truth: `(i, j, k)` integer classes; voxels that are `IGNORE` do not count.
        prediction: the same shape.
        tissue: class.

    Returns:
        1 where the tissue is in neither map, 0 where it is in only one.
    """
    counted = truth != IGNORE
    is_true, is_predicted = (truth == tissue) & counted, (prediction == tissue) & counted
    sizes = int(is_true.sum()) + int(is_predicted.sum())
    return 2 * int((is_true & is_predicted).sum()) / sizes if sizes else 1.0


def score(truth: np.ndarray, prediction: np.ndarray, tissues) -> dict:
    """Returns `{tissue: {"dice": …}}` for one subject; `tissues` names the classes 1, 2, …."""
    return {name: {"dice": dice(truth, prediction, number)} for number, name in enumerate(tissues, start=1)}


def mean_scores(subjects: dict) -> dict:
    """The mean over subjects of `{id: {tissue: {metric: value}}}`, as `{tissue: {metric: value}}`."""
    first = next(iter(subjects.values()))
    return {
        tissue: {
            metric: float(np.mean([scores[tissue][metric] for scores in subjects.values()])) for metric in first[tissue]
        }
        for tissue in first
    }


def mean_dice(mean: dict) -> float:
    """The mean Dice over the tissues of `{tissue: {"dice": …}}`."""
    return float(np.mean([scores["dice"] for scores in mean.values()]))
