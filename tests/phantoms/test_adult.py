"""Adults like those of MRBrainS13, in figures."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from benchmarks.phantoms import overlap, shares
from tests.phantoms.conftest import draw
from tf_msgan.phantoms.adult import (
    BASAL_GANGLIA,
    BRAIN_STEM,
    CEREBELLUM,
    CORTEX,
    LESION,
    OUTER_CSF,
    TESTING_CODES,
    VENTRICLES,
    WHITE_MATTER,
)
from tf_msgan.phantoms.tissue import WM

pytestmark = pytest.mark.integration


def read(path):
    return np.asanyarray(nib.load(path).dataobj)


def read_subject(adults, number):
    """Its arrays by file name, without suffix."""
    return {path.stem: read(path) for path in (adults / "TrainingData" / str(number)).iterdir()}


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """The arrays of five subjects, for what holds on the whole."""
    adults = draw("adult", tmp_path_factory.mktemp("phantoms") / "adults", 5)
    return [read_subject(adults, number) for number in range(1, 6)]


@pytest.fixture(scope="module", params=[1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))])
def subject(request):
    """The arrays of one subject; the quick suite looks at the first alone."""
    if request.param == 1:
        return read_subject(request.getfixturevalue("adult"), 1)
    return request.getfixturevalue("five")[request.param - 1]


def test_testing_labels_are_the_training_labels_merged(subject):
    codes = subject["LabelsForTraining"]
    assert np.unique(codes).tolist() == list(range(9))
    assert np.array_equal(subject["LabelsForTesting"], TESTING_CODES[codes])
    assert TESTING_CODES.tolist() == [0, 2, 2, 3, 3, 1, 1, 0, 0]


def test_air_is_dim_but_not_zero(subject):
    for name in ("T1", "T1_IR", "T2_FLAIR"):
        image = subject[name]
        corner = image[:8, -8:, -8:]
        assert 2 < corner.mean() < 40 and np.mean(corner == 0) < 0.1
        assert image.max() <= 1000
        # Scalp and muscle are not brain.
        assert np.mean(image[subject["LabelsForTraining"] == 0] > 150) > 0.1


def test_tissues_are_as_bright_as_in_adults(subject):
    codes = subject["LabelsForTraining"]
    t1, t1_ir, flair = (
        [subject[name][codes == code].mean() for code in range(9)] for name in ("T1", "T1_IR", "T2_FLAIR")
    )
    for contrast in (t1, t1_ir):
        assert contrast[VENTRICLES] < contrast[CORTEX] < contrast[BASAL_GANGLIA] < contrast[WHITE_MATTER]
    assert flair[VENTRICLES] < flair[WHITE_MATTER] < flair[CORTEX] < flair[LESION]
    assert t1[OUTER_CSF] < t1[CORTEX]


@pytest.mark.slow
def test_lesions_lie_in_white_matter(five):
    counts = []
    for subject in five:
        codes = subject["LabelsForTraining"]
        near = ndimage.binary_dilation(codes == WHITE_MATTER, np.ones((3, 3, 3)))
        assert np.mean(near[codes == LESION]) > 0.9
        counts.append(np.sum(codes == LESION))
    assert max(counts) > 2 * min(counts)


def test_cerebellum_and_brain_stem_lie_below_the_cerebrum(subject):
    codes = subject["LabelsForTraining"]
    cerebrum, cerebellum, stem = (
        np.mean(np.nonzero(where), axis=1)
        for where in ((codes > 0) & (codes < CEREBELLUM), codes == CEREBELLUM, codes == BRAIN_STEM)
    )
    assert max(cerebellum[2], stem[2]) < cerebrum[2] - 5
    assert cerebellum[1] < stem[1]


@pytest.mark.slow
def test_shares_of_tissue_are_those_of_adults(five):
    found = np.array([shares(subject["LabelsForTesting"]) for subject in five])
    assert found.mean(axis=0) == pytest.approx([0.225, 0.44, 0.335], abs=0.035)
    assert found.std(axis=0)[0] > 0.005
    sizes = np.mean([np.bincount(s["LabelsForTraining"].ravel(), minlength=9) for s in five], axis=0)
    sizes *= 1.916**2 * 3 / 1000
    assert 900 < sizes[1:7].sum() < 1500
    assert 90 < sizes[CEREBELLUM] < 180 and 12 < sizes[BRAIN_STEM] < 40 and 10 < sizes[VENTRICLES] < 90


@pytest.mark.slow
def test_grey_and_white_overlap_less_in_adults_than_in_infants(five):
    overlaps = [overlap(subject["T1"], subject["LabelsForTesting"]) for subject in five]
    assert 0.15 < np.mean(overlaps) < 0.4


@pytest.mark.slow
def test_adults_differ(five):
    white = [subject["LabelsForTesting"] == WM for subject in five[:2]]
    assert 2 * np.sum(white[0] & white[1]) / (white[0].sum() + white[1].sum()) < 0.85
