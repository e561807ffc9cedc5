"""The QDA reference, against the figures published with the data and against SciPy."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import SPLITS
from tf_msgan.evaluation.metrics import mean_dice, mean_scores, score
from tf_msgan.evaluation.qda import fit_qda, segment_by_intensity
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_it_is_bayes_rule_on_one_gaussian_a_tissue(tiny_cohort):
    labelled = [load_scan(tiny_cohort, subject_id, with_labels=True) for subject_id in ("1", "2")]
    scan = load_scan(tiny_cohort, "4", with_labels=True)
    probabilities = segment_by_intensity(fit_qda(labelled), scan, 4)
    assert probabilities.sum(axis=-1) == pytest.approx(np.ones(scan.mask.shape), abs=1e-5)
    got = probabilities.argmax(axis=-1)
    assert not got[~scan.mask].any()

    features = np.concatenate([s.image[s.mask] for s in labelled])
    tissues = np.concatenate([s.labels[s.mask] for s in labelled])
    log_posterior = [
        multivariate_normal(features[tissues == t].mean(axis=0), np.cov(features[tissues == t].T)).logpdf(
            scan.image[scan.mask]
        )
        + np.log(np.mean(tissues == t))
        for t in (1, 2, 3)
    ]
    assert np.mean(got[scan.mask] == 1 + np.argmax(log_posterior, axis=0)) > 0.999


def test_ignored_voxels_are_not_fitted(tiny_cohort):
    scan = load_scan(tiny_cohort, "1", with_labels=True)
    labels = scan.labels.copy()
    labels[:14] = IGNORE
    masked = scan.masked.copy()
    masked[:14, ..., :-1] += 1000
    half = dataclasses.replace(scan, labels=labels, masked=masked)
    assert np.abs(fit_qda([half]).means_).max() < 5


def test_one_class_alone_is_all_that_there_is(tiny_cohort):
    scan = load_scan(tiny_cohort, "1", with_labels=True)
    brain = dataclasses.replace(scan, labels=(scan.labels > 0).astype(np.uint8))
    got = segment_by_intensity(fit_qda([brain]), brain, 2).argmax(axis=-1)
    assert np.array_equal(got == 1, scan.mask)


def test_a_class_of_fewer_voxels_than_modalities(tiny_cohort):
    """It has no Gaussian, and the others have theirs."""
    scan = load_scan(tiny_cohort, "1", with_labels=True)
    masked = np.concatenate([scan.masked[..., :1], scan.masked], axis=-1)
    labels = scan.labels.copy()
    labels.ravel()[np.flatnonzero(scan.mask)[:3]] = 4
    three = dataclasses.replace(scan, masked=masked, labels=labels)
    assert fit_qda([three]).classes_.tolist() == [1, 2, 3]


def test_air_of_one_value_is_a_class_like_another(tiny_cohort):
    scan = load_scan(tiny_cohort, "1", with_labels=True)
    masked = scan.masked.copy()
    masked[~scan.mask] = [-2.0, -2.0, 1.0]
    labels = scan.labels.copy()
    labels[0, 0, 0] = 4  # a class of one voxel
    head = dataclasses.replace(scan, masked=masked, labels=labels)
    got = segment_by_intensity(fit_qda([head]), head, 5).argmax(axis=-1)
    assert np.mean(got[~scan.mask] == 0) > 0.99 and np.mean(got[scan.mask] > 0) > 0.99


@pytest.mark.integration
def test_figures_on_the_real_neonates(albert):
    """The README that comes with the scans gives 0.729 CSF, 0.800 GM, 0.729 WM, a mean of 0.753, on this split."""
    split = SPLITS["albert-few-shot"]
    qda = fit_qda([load_scan(albert, subject_id, with_labels=True) for subject_id in split.train])
    scores = {}
    for subject_id in split.test:
        scan = load_scan(albert, subject_id, with_labels=True)
        scores[subject_id] = score(
            scan.labels, segment_by_intensity(qda, scan, 4).argmax(axis=-1), albert.labels.tissues, scan.spacing
        )
    mean = mean_scores(scores)
    # It does not say how outliers were treated; ours are cut at 5 standard deviations.
    assert [mean[tissue]["dice"] for tissue in ("CSF", "GM", "WM")] == pytest.approx([0.729, 0.800, 0.729], abs=0.01)
    assert mean_dice(mean) == pytest.approx(0.753, abs=0.002)
