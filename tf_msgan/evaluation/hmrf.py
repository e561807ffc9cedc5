"""What intensity and smoothness can do: a yardstick that is not trained, but for the names of its classes."""

from collections.abc import Iterable

import numpy as np
from dipy.segment.tissue import TissueClassifierHMRF
from scipy.ndimage import find_objects
from scipy.stats import f_oneway

from tf_msgan.config import Preparation
from tf_msgan.evaluation.qda import labelled_voxels
from tf_msgan.preprocessing.reserved_values import BACKGROUND
from tf_msgan.preprocessing.scan import Scan

# How much HMRF's six neighbours of a voxel weigh; dipy's own examples take this.
SMOOTHNESS = 0.1
# For HMRF the brightest voxel is 1 and the darkest this, well clear of the background.
DARKEST = 0.1
# The mean of the background that dipy makes of zeros, by an unseeded generator.
AIR = 1e-3
# Its standard deviation.
NOISE = 1e-4


def tissue_orders(labelled: Iterable[Scan], preparation: Preparation) -> dict[int, list[int]] | None:
    """Returns what HMRF takes from labels: by modality, the classes from dark to bright.

    The order is that of the tissues' mean scored intensities over `labelled_voxels`, in the scans that have it.
    The modality in which the tissues lie furthest apart (the F of an analysis of variance) comes first. Tissues that no
    scan holds are left out.

    Returns None for heads, of which HMRF makes nothing: it takes all of the mask for tissue, and no order of means
    tells scalp from brain.
    """
    if preparation.crop != "brain":
        return None
    features, tissues = labelled_voxels(labelled)
    orders, apart = {}, {}
    for modality in range(features.shape[-1]):
        there = (features[:, modality] != BACKGROUND) & (tissues > 0)
        groups = {t: features[there & (tissues == t), modality] for t in np.unique(tissues[there]).tolist()}
        orders[modality] = sorted(groups, key=lambda tissue: groups[tissue].mean())
        apart[modality] = f_oneway(*groups.values()).statistic if len(groups) > 1 else 0.0
    return {modality: orders[modality] for modality in sorted(apart, key=apart.__getitem__, reverse=True)}


def segment_by_hmrf(orders: dict[int, list[int]], scan: Scan, classes: int) -> np.ndarray:
    """Fits, to the scan itself, a Gaussian a tissue and a hidden Markov random field that favours equal neighbours
    (Zhang, Brady & Smith 2001, as FSL FAST; dipy's `TissueClassifierHMRF`).

    It sees one modality, the first of `tissue_orders` that the scan has, within the mask. Its classes come from dark to
    bright, and are named by that order. The same scan gives the same result. It takes some 300 bytes a voxel of the
    mask's box.

    Returns:
        `(i, j, k, classes)` float32 probabilities, background outside the mask. All is background where no modality has
        two intensities, or where dipy's fit fails: it starts from means at equal steps, and gets lost if one of its
        classes then has no voxel, as can happen in images without partial volume.
    """
    probabilities = np.zeros((*scan.mask.shape, classes), np.float32)
    inside = scan.image[scan.mask]
    modality = next((m for m in orders if len(inside) and np.ptp(inside[:, m])), None)
    if modality is not None:
        (box,) = find_objects(scan.mask.astype(np.uint8))
        image = _image_for_dipy(scan.image[box][..., modality], scan.mask[box])
        tissues = orders[modality]
        with np.errstate(all="ignore"):
            *_, found = TissueClassifierHMRF(verbose=False).classify(image, len(tissues), SMOOTHNESS)
        probabilities[box][..., tissues] = np.nan_to_num(found) * scan.mask[box][..., None]
    # Rounding may take the sum past 1.
    probabilities[..., 0] = np.maximum(1 - probabilities.sum(axis=-1), 0)
    return probabilities


def _image_for_dipy(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Takes scores to `DARKEST`..1, float64, and what is outside the mask to dipy's background."""
    inside = scores[mask].astype(np.float64)
    image = np.random.default_rng(0).normal(AIR, NOISE, mask.shape)
    image[mask] = DARKEST + (1 - DARKEST) * (inside - inside.min()) / np.ptp(inside)
    return image
