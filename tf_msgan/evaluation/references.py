"""What intensity alone can do: a yardstick that needs no network."""

import numpy as np
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from tf_msgan.data.labels import IGNORE
from tf_msgan.data.scan import Scan

# Added to each class's variances, so that air of one value, or a modality that is missing, has some.
REGULARISATION = 1e-3


def fit_qda(labelled: list[Scan]) -> QuadraticDiscriminantAnalysis:
    """Fits one Gaussian a class to the scored intensities of every labelled voxel of the mask: a tissue, or, in heads,
    the background."""
    features, tissues = [], []
    for scan in labelled:
        counted = scan.mask & (scan.labels != IGNORE)
        features.append(scan.image[counted])
        tissues.append(scan.labels[counted])
    features, tissues = np.concatenate(features), np.concatenate(tissues)
    # A Gaussian needs two voxels.
    enough = np.isin(tissues, np.flatnonzero(np.bincount(tissues) > 1))
    return QuadraticDiscriminantAnalysis(reg_param=REGULARISATION).fit(features[enough], tissues[enough])


def segment_by_intensity(classifier: QuadraticDiscriminantAnalysis, scan: Scan, classes: int) -> np.ndarray:
    """Returns `(i, j, k, classes)` float32 probabilities: the classifier's in the mask, and background elsewhere."""
    probabilities = np.zeros((*scan.mask.shape, classes), np.float32)
    probabilities[..., 0] = ~scan.mask
    known = np.zeros((np.count_nonzero(scan.mask), classes), np.float32)
    known[:, classifier.classes_] = classifier.predict_proba(scan.image[scan.mask])
    probabilities[scan.mask] = known
    return probabilities
