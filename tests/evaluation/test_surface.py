"""Distances of surfaces, against MedPy and SimpleITK, and by hand."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from medpy.metric.binary import assd, hd95
from scipy.spatial.distance import cdist

from tests.conftest import cube
from tf_msgan.evaluation.metrics import volume_difference
from tf_msgan.evaluation.surface import surface_distances


def test_surfaces_of_two_plates_by_hand():
    """Plates of one voxel, three voxels of 2 mm apart: every distance is 6 mm."""
    truth, prediction = np.zeros((2, 8, 5, 4), bool)
    truth[1], prediction[4] = True, True
    assert surface_distances(truth, prediction, (2, 1, 1)) == pytest.approx((6, 6, 6))


def test_directed_distances_differ_by_hand():
    """Two points and one of them: from the two 0 and 4 mm, from the one 0 mm."""
    truth, prediction = np.zeros((2, 9, 1, 1), bool)
    truth[[0, 4]], prediction[0] = True, True
    found = surface_distances(truth, prediction, (1, 1, 1))
    assert found.mhd == pytest.approx(2)
    assert found.asd == pytest.approx(4 / 3)
    assert found.hd95 == pytest.approx(np.percentile([0, 4, 0], 95))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.9), st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * 3))
def test_surfaces_match_medpy_and_every_pair_of_voxels(seed, share, spacing):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.random((2, 6, 7, 5)) < share
    truth[2, 3, 2] = prediction[3, 1, 4] = True
    found = surface_distances(truth, prediction, spacing)
    assert found.hd95 == pytest.approx(hd95(prediction, truth, spacing))
    assert found.asd == pytest.approx(assd(prediction, truth, spacing))
    # A voxel of a mask is on its surface if one of its six neighbours is not in it.
    padded = [np.pad(mask, 1) for mask in (truth, prediction)]
    inner = [np.all([np.roll(m, s, a)[1:-1, 1:-1, 1:-1] for a in range(3) for s in (1, -1)], axis=0) for m in padded]
    surfaces = [np.argwhere(m & ~i) * spacing for m, i in zip((truth, prediction), inner, strict=True)]
    apart = cdist(*surfaces)
    assert found.mhd == pytest.approx(max(apart.min(axis=1).mean(), apart.min(axis=0).mean()))
    mirrored = surface_distances(prediction, truth, spacing)
    assert mirrored == pytest.approx(found)
    assert surface_distances(truth, prediction, [2 * mm for mm in spacing]) == pytest.approx([2 * d for d in found])


def test_surfaces_match_simpleitk():
    """SimpleITK's is the mean of the two directed means over all voxels: of plates of equal size that is the same."""
    truth, prediction = np.zeros((2, 12, 6, 7), np.uint8)
    truth[2], prediction[7, :4], prediction[3, 4:] = 1, 1, 1
    images = [sitk.GetImageFromArray(mask.transpose(2, 1, 0)) for mask in (truth, prediction)]
    for image in images:
        image.SetSpacing((2.0, 1.0, 1.5))
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(*images)
    found = surface_distances(truth > 0, prediction > 0, (2.0, 1.0, 1.5))
    assert found.asd == pytest.approx(measured.GetAverageHausdorffDistance())


def test_where_the_masks_lie_is_no_matter():
    truth, prediction = cube((20, 20, 20), (3, 3, 3), 5), cube((20, 20, 20), (4, 5, 3), 6)
    cut = (slice(2, 12),) * 3
    whole, inside = (
        surface_distances(t, p, (1, 2, 3)) for t, p in ((truth, prediction), (truth[cut], prediction[cut]))
    )
    assert whole == pytest.approx(inside)
    assert surface_distances(truth, truth, (1, 2, 3)) == (0, 0, 0)


def test_an_empty_mask_is_a_failure_and_never_nan():
    none, some = np.zeros((4, 5, 3), bool), cube((4, 5, 3), (1, 1, 1), 1)
    diagonal = math.sqrt(3**2 + (2 * 4) ** 2 + 2**2)
    assert surface_distances(none, none, (1, 2, 1)) == (0, 0, 0)
    for one, other in ((none, some), (some, none)):
        assert surface_distances(one, other, (1, 2, 1)) == pytest.approx((diagonal,) * 3)
    assert volume_difference(none, none) == 0
    assert volume_difference(none, some) == volume_difference(some, none) == 100
