"""How well a label map agrees with the truth."""

import numpy as np

from tf_msgan.evaluation.surface import surface_distances
from tf_msgan.preprocessing.reserved_values import IGNORE

# What is scored beside Dice, with the names that people know.
DISTANCES = {"hd95_mm": "HD95, mm", "mhd_mm": "MHD, mm", "asd_mm": "ASD, mm", "avd_percent": "AVD, %"}


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


def volume_difference(truth: np.ndarray, prediction: np.ndarray) -> float:
    """AVD: how much larger or smaller the predicted mask is, in percent of the true one (Mendrik et al. 2015), 0..∞. Of
    an empty true mask it is 0 if the other is empty too, and 100 if not."""
    true, predicted = int(truth.sum()), int(prediction.sum())
    return 100 * abs(predicted - true) / true if true else 100.0 * (predicted > 0)


def score(truth: np.ndarray, prediction: np.ndarray, tissues, spacing) -> dict:
    """Returns, for one subject, `{tissue: {"dice", "hd95_mm", "mhd_mm", "asd_mm", "avd_percent"}}`.

    Args:
        truth, prediction: `(i, j, k)` integer classes; voxels that are `IGNORE` in the truth belong to neither's masks.
        tissues: names of the classes 1, 2, ….
        spacing: mm of the voxels along i, j, k.
    """
    counted = truth != IGNORE

    def of_tissue(number):
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
