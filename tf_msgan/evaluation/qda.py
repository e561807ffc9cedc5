"""What intensity alone can do: a yardstick that needs no network."""

from collections.abc import Iterable

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier

from tf_msgan.preprocessing.reserved_values import IGNORE
from tf_msgan.preprocessing.scan import Scan

# Of a scan; scikit-learn's intermediate results take some 150 bytes a voxel.
MOST_VOXELS = 1_000_000
# Added to each class's variances, so that air of one value, or a modality that is missing, has some.
REGULARISATION = 1e-3


def fit_qda(labelled: Iterable[Scan]) -> ClassifierMixin:
    """Fits one Gaussian a class to the scored intensities of `labelled_voxels`. A class is a tissue or, in heads, the
    background; where there is one alone it is all that there is."""
    features, tissues = labelled_voxels(labelled)
    # A Gaussian needs more voxels than there are modalities.
    enough = np.isin(tissues, np.flatnonzero(np.bincount(tissues) > features.shape[1]))
    if len(np.unique(tissues[enough])) < 2:
        # A brain mask of skull-stripped scans, say.
        return DummyClassifier(strategy="prior").fit(features, tissues)
    return QuadraticDiscriminantAnalysis(reg_param=REGULARISATION).fit(features[enough], tissues[enough])


def segment_by_intensity(classifier: ClassifierMixin, scan: Scan, classes: int) -> np.ndarray:
    """Returns `(i, j, k, classes)` float32 probabilities: the classifier's in the mask, and background elsewhere."""
    mask = scan.mask
    probabilities = np.zeros((*mask.shape, classes), np.float32)
    probabilities[..., 0] = ~mask
    inside = scan.image[mask]
    known = np.zeros((len(inside), classes), np.float32)
    for first in range(0, len(inside), MOST_VOXELS):
        some = slice(first, first + MOST_VOXELS)
        known[some, classifier.classes_] = classifier.predict_proba(inside[some])
    probabilities[mask] = known
    return probabilities


def labelled_voxels(labelled: Iterable[Scan]) -> tuple[np.ndarray, np.ndarray]:
    """Returns `(voxel, modality)` scored intensities and `(voxel,)` classes of the mask's labelled voxels, at most
    `MOST_VOXELS` evenly spaced ones a scan. All scans have labels."""
    features, tissues = [], []
    for scan in labelled:
        assert scan.labels is not None
        counted = scan.mask & (scan.labels != IGNORE)
        chosen = np.flatnonzero(counted)
        chosen = chosen[:: len(chosen) // MOST_VOXELS + 1]
        features.append(scan.image.reshape(-1, scan.image.shape[-1])[chosen])
        tissues.append(scan.labels.ravel()[chosen])
    return np.concatenate(features), np.concatenate(tissues)
