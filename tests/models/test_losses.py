"""Each loss against numbers worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.models import gan_losses, losses
from tf_msgan.preprocessing.reserved_values import BACKGROUND, IGNORE

LOG = math.log


def voxels(*rows):
    """`(1, n, 1, 1, K)` from one row a voxel."""
    return tf.constant(rows, tf.float32)[None, :, None, None, :]


def labels(*values):
    return tf.constant(values, tf.int32)[None, :, None, None]


def random_case(seed=0):
    rng = np.random.default_rng(seed)
    logits = tf.constant(rng.normal(0, 2, (2, 3, 3, 3, 4)), tf.float32)
    prediction = tf.constant(rng.dirichlet(np.ones(4), (2, 3, 3, 3)), tf.float32)
    return logits, prediction, tf.constant(rng.integers(0, 4, (2, 3, 3, 3)))


def test_p_real_is_the_probability_of_not_fake():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)])
    assert losses.real_log_odds(logits).numpy().item() == pytest.approx(LOG(10))
    # Z / (Z + 1) = 10 / 11 is the softmax over K + 1 logits, the last of them 0.
    assert tf.sigmoid(losses.real_log_odds(logits)).numpy().item() == pytest.approx(10 / 11)


def test_eq_10_labelled():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)], [LOG(5), LOG(1), LOG(1), LOG(1)])
    expected = -(LOG(3 / 10) + LOG(5 / 8)) / 2
    assert float(losses.labelled_loss(logits, labels(2, 0))) == pytest.approx(expected, rel=1e-5)


def test_eq_10_skips_ignored_voxels():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)], [9, 0, 0, 0])
    assert float(losses.labelled_loss(logits, labels(2, IGNORE))) == pytest.approx(-LOG(3 / 10), rel=1e-5)
    assert float(losses.labelled_loss(logits, labels(IGNORE, IGNORE))) == 0


def test_eq_11_unlabelled():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)], [0, 0, 0, LOG(0.5)])
    expected = -(LOG(10 / 11) + LOG(3.5 / 4.5)) / 2
    assert float(gan_losses.real_loss(losses.real_log_odds(logits))) == pytest.approx(expected, rel=1e-5)


def test_eq_11_is_not_the_constant_that_was_printed():
    likely, unlikely = (losses.real_log_odds(voxels([value] * 4)) for value in (3.0, -3.0))
    assert float(gan_losses.real_loss(likely)) < float(gan_losses.real_loss(unlikely))


def test_eq_12_fake():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)])
    assert float(gan_losses.fake_loss(losses.real_log_odds(logits))) == pytest.approx(-LOG(1 / 11), rel=1e-5)


def opinion(logits, prediction):
    return tf.exp(losses.log_opinion(logits, tf.math.log(prediction + losses.TINY)))


def test_level_by_hand():
    logits = tf.stack([voxels([LOG(1), LOG(2), LOG(3), LOG(4)]), voxels([LOG(0.5), LOG(0.25), LOG(0.125), LOG(0.125)])])
    assert float(losses.level_loss(logits)) == pytest.approx(LOG(10) ** 2 / 2, rel=1e-5)


def test_opinion_by_hand():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)])
    prediction = voxels([0.1, 0.2, 0.3, 0.4])
    expected = (0.1 * 1 + 0.2 * 2 + 0.3 * 3 + 0.4 * 4) / 11
    assert opinion(logits, prediction).numpy().item() == pytest.approx(expected, rel=1e-5)


def test_eqs_10_to_12_are_cases_of_the_opinion():
    logits, _, truth = random_case()
    one_hot, ones = tf.one_hot(truth, 4), tf.ones_like(logits)

    labelled = -tf.reduce_mean(tf.math.log(opinion(logits, one_hot)))
    assert float(labelled) == pytest.approx(
        float(losses.labelled_loss(logits, truth) + gan_losses.real_loss(losses.real_log_odds(logits))), abs=1e-4
    )
    unlabelled = -tf.reduce_mean(tf.math.log(opinion(logits, ones)))
    assert float(unlabelled) == pytest.approx(float(gan_losses.real_loss(losses.real_log_odds(logits))), abs=1e-5)
    fake = -tf.reduce_mean(tf.math.log(1 - opinion(logits, ones)))
    assert float(fake) == pytest.approx(float(gan_losses.fake_loss(losses.real_log_odds(logits))), abs=1e-4)


def test_eq_14_prediction():
    logits, prediction = voxels([LOG(1), LOG(2), LOG(3), LOG(4)]), voxels([0.1, 0.2, 0.3, 0.4])
    assert float(losses.prediction_loss(logits, prediction)) == pytest.approx(-LOG(3 / 11), rel=1e-5)


def test_eq_14_pulls_the_prediction_and_not_the_judge():
    logits, prediction, _ = random_case()
    with tf.GradientTape() as tape:
        tape.watch([logits, prediction])
        loss = losses.prediction_loss(logits, prediction)
    judge, judged = tape.gradient(loss, [logits, prediction])
    assert judge is None
    # The tissue that D holds likeliest gains most.
    assert np.array_equal(np.argmin(judged, axis=-1), np.argmax(logits, axis=-1))


def test_d_judges_the_brain_by_the_sum_of_its_tissues():
    logits = voxels([LOG(1), LOG(2), LOG(3), LOG(4)])
    assert losses.brain_logits(logits).numpy().ravel() == pytest.approx([LOG(1), LOG(9)])


def test_latent_recovery():
    z, mean, log_variance = tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 0.0]]), tf.constant([[LOG(4.0), 0.0]])
    # −log N up to a constant: ½ (log 4 + 1/4) and ½ (0 + 0), averaged.
    assert float(losses.latent_recovery_loss(z, mean, log_variance)) == pytest.approx((LOG(4) + 0.25) / 4, rel=1e-5)


def test_diversity_by_hand():
    """Three voxels of brain and one outside, which must not count."""
    image = voxels([0.0], [0.0], [0.0], [BACKGROUND])
    one, other = voxels([0.0], [1.0], [0.5], [9.0]), voxels([0.1], [0.8], [0.5], [0.0])
    apart = losses.difference(one, other, image)
    assert float(apart) == pytest.approx(0.1, rel=1e-5)
    assert float(losses.diversity_loss(apart, 0.3)) == pytest.approx(0.3 - 0.1, rel=1e-5)
    assert float(losses.diversity_loss(apart, 0.05)) == 0


def test_share_of_real_by_hand():
    """Two voxels: Z = e⁰ + e⁰ = 2 and Z = e¹ + e² give Z / (Z + 1)."""
    z = np.exp(1) + np.exp(2)
    logits = voxels([0.0, 0.0], [1.0, 2.0])
    assert float(losses.real_shares(of=logits)["real_of"]) == pytest.approx((2 / 3 + z / (z + 1)) / 2, rel=1e-5)


def test_segmentation_loss_by_hand():
    prediction = voxels([0.1, 0.9, 0.0], [0.2, 0.0, 0.8], [1.0, 0.0, 0.0])
    cross_entropy = -(LOG(0.9) + LOG(0.8) + LOG(1.0)) / 3
    dice = ((2 * 0.9 + 1) / (0.9 + 1 + 1) + (2 * 0.8 + 1) / (0.8 + 1 + 1)) / 2
    assert float(losses.segmentation_loss(prediction, labels(1, 2, 0))) == pytest.approx(
        cross_entropy + 1 - dice, rel=1e-4
    )


def test_segmentation_loss_takes_no_absent_tissue_for_an_error():
    """Of two tissues only the first is in the patch: perfect is 0."""
    prediction = voxels([0.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    assert float(losses.segmentation_loss(prediction, labels(1, 0))) == pytest.approx(0, abs=1e-5)


def test_segmentation_loss_skips_ignored_voxels():
    prediction = voxels([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    assert float(losses.segmentation_loss(prediction, labels(1, IGNORE))) == pytest.approx(0, abs=1e-5)


def test_brain_labels_keep_what_is_ignored():
    assert losses.brain_labels(labels(0, 1, 3, IGNORE)).numpy().ravel().tolist() == [0, 1, 1, IGNORE]
