"""The HMRF reference."""

import dataclasses

import numpy as np
import pytest

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import SPLITS
from tf_msgan.evaluation.hmrf import segment_by_hmrf, tissue_orders
from tf_msgan.evaluation.metrics import mean_dice, score
from tf_msgan.evaluation.qda import fit_qda, segment_by_intensity
from tf_msgan.preprocessing.reserved_values import BACKGROUND, IGNORE


@pytest.fixture(scope="module")
def tiny_scans(tiny_cohort):
    return [load_scan(tiny_cohort, subject_id, with_labels=True) for subject_id in ("1", "2", "4")]


def change(scan, modality=0, factor=1.0, value=None):
    """The scan with the contrast of a modality multiplied, or with one value there within the mask."""
    masked = scan.masked.copy()
    masked[scan.mask, modality] = scan.masked[scan.mask, modality] * factor if value is None else value
    return dataclasses.replace(scan, masked=masked)


def only(scan, modality):
    return dataclasses.replace(scan, masked=scan.masked[..., [modality, -1]])


def dice_by_hmrf(labelled, scan):
    got = segment_by_hmrf(tissue_orders(labelled, STRIPPED), scan, 4).argmax(axis=-1)
    return [tissue["dice"] for tissue in score(scan.labels, got, ("CSF", "GM", "WM"), scan.spacing).values()]


def test_tissues_come_from_dark_to_bright(tiny_scans):
    """On T1 CSF is dark, on T2 it is bright."""
    assert tissue_orders(tiny_scans[:2], STRIPPED) == {0: [1, 2, 3], 1: [3, 2, 1]}


def test_order_of_ignored_absent_and_missing(tiny_scans):
    first, second = tiny_scans[:2]
    labels = np.where(second.labels == 2, IGNORE, second.labels)
    assert tissue_orders([dataclasses.replace(second, labels=labels)], STRIPPED) == {0: [1, 3], 1: [3, 1]}
    # A scan without T1 that is nearly all CSF: its T1 does not count.
    labels = np.where(second.labels > 1, IGNORE, second.labels)
    without = change(dataclasses.replace(second, labels=labels), value=BACKGROUND)
    assert tissue_orders([change(first, factor=-1), without], STRIPPED) == {0: [3, 2, 1], 1: [3, 2, 1]}


def test_hmrf_is_for_brains(tiny_scans):
    assert tissue_orders(tiny_scans, Preparation(crop="nonzero")) is None


@pytest.mark.parametrize(("modality", "factor"), [(0, 1), (1, 1), (0, -1)])
def test_hmrf_finds_the_tissues_whatever_the_contrast(tiny_scans, modality, factor):
    *labelled, scan = [change(only(scan, modality), factor=factor) for scan in tiny_scans]
    assert min(dice_by_hmrf(labelled, scan)) > 0.95
    # Named by the wrong order, the dark and the bright tissue are taken for each other.
    assert max(dice_by_hmrf([change(scan, factor=-1) for scan in labelled], scan)[::2]) < 0.05


def test_hmrf_is_smoother_than_intensity(tiny_scans):
    """Where noise hides the tissues."""
    *labelled, scan = [only(scan, 1) for scan in tiny_scans]
    masked = scan.masked.copy()
    masked[scan.mask, 0] += np.random.default_rng(0).normal(0, 0.4, scan.mask.sum())
    scan = dataclasses.replace(scan, masked=masked)
    by_intensity = segment_by_intensity(fit_qda([scan]), scan, 4).argmax(axis=-1)
    by_intensity = score(scan.labels, by_intensity, ("CSF", "GM", "WM"), scan.spacing)
    assert np.mean(dice_by_hmrf(labelled, scan)) > mean_dice(by_intensity)


def test_hmrf_gives_probabilities_and_again_the_same(tiny_scans):
    *labelled, scan = tiny_scans
    orders = tissue_orders(labelled, STRIPPED)
    probabilities = segment_by_hmrf(orders, scan, 5)
    assert probabilities.dtype == np.float32 and probabilities.min() >= 0
    assert probabilities.sum(axis=-1) == pytest.approx(np.ones(scan.mask.shape), abs=1e-5)
    assert (probabilities[~scan.mask] == [1, 0, 0, 0, 0]).all() and not probabilities[..., 4].any()
    assert np.mean(probabilities[scan.mask, 0] > 0.5) < 0.001
    assert np.array_equal(segment_by_hmrf(orders, scan, 5), probabilities)


def test_hmrf_sees_the_best_modality_that_is_there(tiny_scans):
    *labelled, scan = tiny_scans
    # Noise in T1 leaves T2 the better one, and the other way round.
    noise = np.random.default_rng(0)
    for blurred, best in ((0, 1), (1, 0)):
        noisy = [
            change(one, blurred, value=one.masked[one.mask, blurred] + noise.normal(0, 1, one.mask.sum()))
            for one in labelled
        ]
        orders = tissue_orders(noisy, STRIPPED)
        assert list(orders) == [best, blurred]
        without_best = segment_by_hmrf(orders, change(scan, best, value=BACKGROUND), 4)
        assert np.array_equal(without_best, segment_by_hmrf({0: orders[blurred]}, only(scan, blurred), 4))
    nothing = segment_by_hmrf(orders, change(change(scan, value=BACKGROUND), 1, value=0.5), 4)
    assert (nothing[..., 0] == 1).all()
    empty = dataclasses.replace(scan, masked=np.zeros_like(scan.masked))
    assert (segment_by_hmrf(orders, empty, 4)[..., 0] == 1).all()


def test_hmrf_that_fails_names_no_tissue(tiny_scans):
    """There are no three classes in two intensities."""
    scan = tiny_scans[-1]
    two = change(scan, value=np.where(scan.labels[scan.mask] == 1, -2.0, 1.0))
    assert (segment_by_hmrf({0: [1, 2, 3]}, two, 4)[..., 0] == 1).all()


def test_order_in_the_real_neonates(albert):
    """Their white matter is not myelinated yet: darker than GM on T1, brighter on T2."""
    labelled = (load_scan(albert, subject_id, with_labels=True) for subject_id in SPLITS["albert-few-shot"].train)
    assert tissue_orders(labelled, STRIPPED) == {0: [1, 3, 2], 1: [2, 3, 1]}
