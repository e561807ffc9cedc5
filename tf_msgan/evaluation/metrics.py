"""How well a label map agrees with the truth."""

from collections.abc import Mapping, Sequence

import numpy as np

from tf_msgan.evaluation.surface import surface_distances
from tf_msgan.preprocessing.reserved_values import IGNORE

# What is scored beside Dice, with the names that people know.
DISTANCES = {"hd95_mm": "HD95, mm", "mhd_mm": "MHD, mm", "asd_mm": "ASD, mm", "avd_percent": "AVD, %"}

# `{tissue: {metric: value}}`, of one subject or the means over several.
Scores = dict[str, dict[str, float]]


def dice(truth: np.ndarray, prediction: np.ndarray, tissue: int) -> float:
    """Returns eq. 15: 2 · overlap / (sum of sizes) of one tissue in one subject, 0..1.

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


def volume_difference(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Returns the AVD: how much larger or smaller the predicted mask is, in percent of the true one (Mendrik et al.
    2015), 0..∞. Of an empty true mask it is 0 if the other is empty too, and 100 if not."""
    true, predicted = int(truth.sum()), int(prediction.sum())
    return 100 * abs(predicted - true) / true if true else 100.0 * (predicted > 0)


def score(truth: np.ndarray, prediction: np.ndarray, tissues: Sequence[str], spacing: Sequence[float]) -> Scores:
    """Returns `{tissue: {"dice", "hd95_mm", "mhd_mm", "asd_mm", "avd_percent"}}` of one subject.

    Args:
        truth, prediction: `(i, j, k)` integer classes; voxels that are `IGNORE` in the truth belong to neither's masks.
        tissues: names of the classes 1, 2, ….
        spacing: mm of the voxels along i, j, k.
    """
    counted = truth != IGNORE

    def of_tissue(number: int) -> dict[str, float]:
        is_true, is_predicted = (truth == number) & counted, (prediction == number) & counted
        surfaces = surface_distances(is_true, is_predicted, spacing)
        return {
            "dice": dice(truth, prediction, number),
            "hd95_mm": surfaces.hd95,
            "mhd_mm": surfaces.mhd,
            "asd_mm": surfaces.asd,
            "avd_percent": volume_difference(is_true, is_predicted),
        }

    return {name: of_tissue(number) for number, name in enumerate(tissues, start=1)}


def mean_scores(subjects: Mapping[str, Scores]) -> Scores:
    """Returns the means over the subjects; `subjects` are scores by identifier."""
    first = next(iter(subjects.values()))
    return {
        tissue: {
            metric: float(np.mean([scores[tissue][metric] for scores in subjects.values()])) for metric in first[tissue]
        }
        for tissue in first
    }


def mean_dice(scores: Scores) -> float:
    """Returns the mean Dice over the tissues."""
    return float(np.mean([of_tissue["dice"] for of_tissue in scores.values()]))
