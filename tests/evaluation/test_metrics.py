"""Scores, against MedPy and SimpleITK, and by hand."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from medpy.metric.binary import assd, dc, hd95
from scipy.spatial.distance import cdist

from tests.conftest import save_nifti
from tf_msgan.config import STRIPPED
from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.splits import Split
from tf_msgan.evaluation.metrics import dice, mean_dice, mean_scores, score, volume_difference
from tf_msgan.evaluation.surface import surface_distances
from tf_msgan.evaluation.tested import read_tested
from tf_msgan.models.step_metrics import TermMeans, TissueDice
from tf_msgan.preprocessing.reserved_values import IGNORE


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_matches_medpy(seed):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.integers(0, 4, (2, 5, 6, 7))
    for tissue in (1, 2, 3):
        assert dice(truth, prediction, tissue) == pytest.approx(dc(prediction == tissue, truth == tissue))


def test_by_hand():
    truth, prediction = np.array([1, 1, 1, 2]), np.array([1, 1, 2, 2])
    assert dice(truth, prediction, 1) == pytest.approx(2 * 2 / (3 + 2))
    assert dice(truth, prediction, 2) == pytest.approx(2 * 1 / (1 + 2))


def test_absent_tissue():
    """The Keras metric scores a rightly absent tissue 0; here it is right, and a wrongly present one is wrong."""
    assert dice(np.zeros(4, int), np.zeros(4, int), 1) == 1
    assert dice(np.zeros(4, int), np.array([0, 0, 0, 1]), 1) == 0
    assert dice(np.array([0, 0, 0, 1]), np.zeros(4, int), 1) == 0


def test_ignored_voxels_do_not_count():
    truth, prediction = np.array([1, 2, IGNORE, IGNORE]), np.array([1, 2, 1, 2])
    assert dice(truth, prediction, 1) == dice(truth, prediction, 2) == 1


def cube(shape, start, side):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(at, at + side) for at in start)] = True
    return mask


def test_surfaces_of_two_plates_by_hand():
    """Plates of one voxel, three voxels of 2 mm apart: every distance is 6 mm."""
    truth, prediction = np.zeros((2, 8, 5, 4), bool)
    truth[1], prediction[4] = True, True
    assert surface_distances(truth, prediction, (2, 1, 1)) == pytest.approx((6, 6, 6))


def test_millimetres_are_those_of_the_files_axes(tmp_path):
    """Slices of 3 mm, stored with the axes posterior, inferior, right."""
    affine = np.array([[0, 0, 3, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
    image = save_nifti(tmp_path / "a_T1.nii.gz", np.arange(1, 513, dtype=np.int16).reshape(8, 8, 8), affine)
    codes = cube((8, 8, 8), (2, 2, 2), 3)
    label = save_nifti(tmp_path / "a_label.nii.gz", codes.astype(np.uint8), affine)
    labels, subject = LabelTable(("brain",), {0: 0, 1: 1}), Subject("a", (image,), label)
    cohort = Cohort("nnunet", tmp_path, ("T1",), labels, {"a": subject})
    (tested,) = read_tested(cohort, Split((), (), (), ("a",)), STRIPPED)
    for axis, mm in enumerate((1, 1, 3)):
        scores = tested.score(np.roll(codes, 1, axis).astype(np.uint8), ("brain",))["brain"]
        assert scores["hd95_mm"] == mm and scores["dice"] == pytest.approx(2 / 3)


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


def test_volume_difference_by_hand():
    small, large = cube((9, 9, 9), (0, 0, 0), 2), cube((9, 9, 9), (4, 4, 4), 4)
    assert volume_difference(small, large) == pytest.approx(100 * (64 - 8) / 8)
    assert volume_difference(large, small) == pytest.approx(100 * (64 - 8) / 64)


def test_scores_of_a_subject():
    """What is ignored belongs to neither map: without it they are equal."""
    truth = np.zeros((8, 8, 8), np.uint8)
    truth[2:6], truth[6:] = 1, 2
    prediction = truth.copy()
    prediction[5:, :2] = 3
    ignoring = np.where(prediction == 3, IGNORE, truth)
    scores = score(ignoring, prediction, ("CSF", "GM", "WM"), (1, 1, 1))
    assert list(scores) == ["CSF", "GM", "WM"]
    for values in scores.values():
        assert values == {"dice": 1, "hd95_mm": 0, "mhd_mm": 0, "asd_mm": 0, "avd_percent": 0}
    worse = score(truth, prediction, ("CSF", "GM", "WM"), (1, 1, 1))
    assert worse["WM"]["avd_percent"] == 100 and worse["WM"]["dice"] == 0
    assert worse["GM"]["hd95_mm"] > 0 and worse["GM"]["dice"] < 1


def test_means_are_over_subjects():
    scores = {"a": {"CSF": {"dice": 0.2}, "GM": {"dice": 0.6}}, "b": {"CSF": {"dice": 0.4}, "GM": {"dice": 0.8}}}
    mean = mean_scores(scores)
    assert mean["CSF"]["dice"] == pytest.approx(0.3) and mean["GM"]["dice"] == pytest.approx(0.7)
    assert mean_dice(mean) == pytest.approx(0.5)


def test_keras_metric_agrees_over_batches():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (3, 4, 4, 4)).astype(np.uint8)
    truth[0, 0] = IGNORE
    probabilities = rng.dirichlet(np.ones(4), truth.shape).astype(np.float32)
    metric = TissueDice(("CSF", "GM", "WM"))
    metric.update_state(truth[:2], probabilities[:2])
    metric.update_state(truth[2:], probabilities[2:])
    predicted = probabilities.argmax(axis=-1)
    expected = {name: {"dice": dice(truth, predicted, n)} for n, name in enumerate(("CSF", "GM", "WM"), start=1)}
    result = {name: float(value) for name, value in metric.result().items()}
    for name in ("CSF", "GM", "WM"):
        assert result[f"dice_{name}"] == pytest.approx(expected[name]["dice"])
    assert result["dice"] == pytest.approx(mean_dice(expected))
    metric.reset_state()
    assert float(metric.result()["dice"]) == 1


def test_keras_metric_counts_every_tissue():
    """The ancestor chose its best model without CSF."""
    metric = TissueDice(("CSF", "GM", "WM"))
    truth = np.array([1, 2, 3]).reshape(1, 3, 1, 1)
    metric.update_state(truth, np.eye(4, dtype=np.float32)[[0, 2, 3]].reshape(1, 3, 1, 1, 4))
    assert float(metric.result()["dice"]) == pytest.approx(2 / 3)


def test_means_of_terms():
    means = TermMeans(("a", "b"))
    means.update_state({"a": 1.0, "b": 4.0})
    means.update_state({"a": 3.0, "b": float("nan")})
    assert float(means.result()["a"]) == 2
    assert np.isnan(means.result()["b"])
    means.reset_state()
    means.update_state({"a": 5.0, "b": 6.0})
    # What a step does not have is not counted.
    means.update_state({"b": 6.0})
    assert {name: float(value) for name, value in means.result().items()} == {"a": 5, "b": 6}


def test_means_of_what_is_finite():
    means = TermMeans(("a", "b"), only_finite=True)
    means.update_state({"a": 1.0, "b": float("inf")})
    means.update_state({"a": 2.0, "b": 3.0})
    assert {name: float(value) for name, value in means.result().items()} == {"a": 1.5, "b": 3}
