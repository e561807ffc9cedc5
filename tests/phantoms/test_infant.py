"""Infants like those of iSEG-2017, in figures."""

import numpy as np
import pytest

from benchmarks.phantoms import overlap, shares
from tf_msgan.phantoms.infant import infant_grid, make_infant
from tf_msgan.phantoms.tissue import WM

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def at_1mm():
    return [make_infant(number, spacing=1, seed=0) for number in range(1, 4)]


def test_shares_of_tissue_are_those_of_iseg(at_1mm):
    mean = np.mean([shares(phantom.labels) for phantom in at_1mm], axis=0)
    assert mean == pytest.approx([0.22, 0.47, 0.31], abs=0.03)


def test_grey_and_white_overlap_as_in_iseg(at_1mm):
    assert np.mean([overlap(p.t1, p.labels) for p in at_1mm]) == pytest.approx(0.70, abs=0.07)
    assert np.mean([overlap(p.t2, p.labels) for p in at_1mm]) == pytest.approx(0.90, abs=0.05)


def test_subjects_differ(at_1mm):
    volumes = [np.sum(p.labels > 0) for p in at_1mm]
    assert np.std(volumes) > 0.03 * np.mean(volumes)
    assert len({p.t1.tobytes() for p in at_1mm}) == len(at_1mm)
    first, second = at_1mm[0].labels, at_1mm[1].labels
    agreement = 2 * np.sum((first == WM) & (second == WM)) / (np.sum(first == WM) + np.sum(second == WM))
    assert agreement < 0.8


def test_ranges_and_mask(at_1mm):
    for phantom in at_1mm:
        assert phantom.labels.shape == (144, 192, 256)
        for image in (phantom.t1, phantom.t2):
            assert image.dtype == np.int16
            assert image.min() == 0 and image.max() <= 1000
            assert np.array_equal(image != 0, phantom.labels != 0)


def test_cortex_is_folded(at_1mm):
    """A blob of the brain's volume would have far less surface between grey and white matter."""
    labels = at_1mm[0].labels
    white = labels == WM
    surface = sum(np.count_nonzero(np.diff(white.astype(np.int8), axis=axis)) for axis in range(3))
    ball = 6 * (3 * white.sum() / (4 * np.pi)) ** (2 / 3) * np.pi
    assert surface > 5 * ball


def test_2mm_is_the_1mm_brain_averaged(at_1mm):
    coarse = make_infant(1, spacing=2, seed=0)
    fine = at_1mm[0].labels.reshape(72, 2, 96, 2, 128, 2)
    brain = (fine > 0).mean(axis=(1, 3, 5))
    assert np.array_equal(coarse.labels[brain == 1] > 0, np.ones(np.sum(brain == 1), bool))
    assert not coarse.labels[brain == 0].any()
    mean = at_1mm[0].t1.reshape(72, 2, 96, 2, 128, 2).mean(axis=(1, 3, 5))
    assert np.abs(coarse.t1 - mean)[brain == 1].max() <= 1


def test_subject_23_has_its_own_grid():
    assert infant_grid(1, 1) == infant_grid(22, 1) == (144, 192, 256)
    assert infant_grid(23, 1) == (160, 192, 256) and infant_grid(23, 2) == (80, 96, 128)


@pytest.mark.slow
def test_subject_23_is_drawn_on_its_own_grid():
    assert make_infant(23, spacing=2, seed=0).labels.shape == (80, 96, 128)
