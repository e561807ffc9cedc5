"""Several models as one."""

import numpy as np
import pytest

from tf_msgan.config import STRIPPED
from tf_msgan.inference.ensemble import Ensemble
from tf_msgan.inference.tissue_maps import TissueMaps


class FixedSegmenter:
    """Finds one voxel to be brain with such a probability."""

    tissues = ("brain",)
    preparation = STRIPPED

    def __init__(self, brain, p_real, failed, takes_missing):
        self.takes_missing_modality = takes_missing
        self.found = brain, p_real, failed

    def __call__(self, image):
        brain, p_real, failed = self.found
        probabilities = np.array([1 - brain, brain], np.float32)[None, None, None]
        return TissueMaps(None, probabilities, np.full((1, 1, 1), p_real, np.float32), None, failed)


def test_several_models_by_hand():
    """The mean decides; where one failed, or cannot do without a modality, all do."""
    one, other = FixedSegmenter(0.9, 0.2, False, True), FixedSegmenter(0.3, 0.6, True, False)
    both = Ensemble({"one": one, "other": other})
    assert Ensemble({"one": one}).takes_missing_modality and not both.takes_missing_modality
    found = both(None)
    assert found.probabilities.ravel() == pytest.approx([0.4, 0.6]) and found.labels.ravel().tolist() == [1]
    assert found.p_real.ravel() == pytest.approx([0.4]) and found.outline_failed
