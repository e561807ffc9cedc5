"""What intensity alone can do: a yardstick that needs no network."""

import numpy as np
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from tf_msgan.data.cohort import Scan
from tf_msgan.data.labels import IGNORE


def fit_qda(labelled: list[Scan]) -> QuadraticDiscriminantAnalysis:
    """Fits one Gaussian a tissue to the z-scored intensities of every labelled voxel of brain."""
    features, tissues = [], []
    for scan in labelled:
        counted = scan.brain & (scan.labels != IGNORE) & (scan.labels != 0)
        features.append(scan.image[counted])
        tissues.append(scan.labels[counted])
    return QuadraticDiscriminantAnalysis().fit(np.concatenate(features), np.concatenate(tissues))


def segment_by_intensity(classifier: QuadraticDiscriminantAnalysis, scan: Scan) -> np.ndarray:
    """Returns `(i, j, k)` uint8 classes: the likeliest tissue of each voxel of brain, and background elsewhere."""
    labels = np.zeros(scan.brain.shape, np.uint8)
    labels[scan.brain] = classifier.predict(scan.image[scan.brain])
    return labels
