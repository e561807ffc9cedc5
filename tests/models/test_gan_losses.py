"""The GAN family against numbers worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import GANS
from tf_msgan.models.gan_losses import GAN_LOSSES, agreement, feature_matching_loss, gradient_penalty
from tf_msgan.models.losses import log_opinion

LOG = math.log
# Scores of P(real) = 10/11 and 8/9 of what is, and of 1/3 and 3/4 of what is not.
REAL, FAKE = tf.constant([LOG(10), LOG(8)]), tf.constant([LOG(1 / 2), LOG(3)])

# The generator's loss, and D's two terms.
BY_HAND = {
    "minimax": ((LOG(2 / 3) + LOG(1 / 4)) / 2, -(LOG(10 / 11) + LOG(8 / 9)) / 2, -(LOG(2 / 3) + LOG(1 / 4)) / 2),
    "nsgan": (-(LOG(1 / 3) + LOG(3 / 4)) / 2, -(LOG(10 / 11) + LOG(8 / 9)) / 2, -(LOG(2 / 3) + LOG(1 / 4)) / 2),
    "wgan": (-(LOG(1 / 2) + LOG(3)) / 2, -(LOG(10) + LOG(8)) / 2, (LOG(1 / 2) + LOG(3)) / 2),
    "lsgan": (
        ((LOG(1 / 2) - 1) ** 2 + (LOG(3) - 1) ** 2) / 2,
        ((LOG(10) - 1) ** 2 + (LOG(8) - 1) ** 2) / 2,
        (LOG(1 / 2) ** 2 + LOG(3) ** 2) / 2,
    ),
}
BY_HAND["wgan-gp"], BY_HAND["acgan"] = BY_HAND["wgan"], BY_HAND["nsgan"]


@pytest.mark.parametrize("name", GANS)
def test_pairs_by_hand(name):
    pair, (generator, real_term, fake_term) = GAN_LOSSES[name], BY_HAND[name]
    assert float(pair.generator(FAKE)) == pytest.approx(generator, rel=1e-5)
    assert [float(term) for term in pair.discriminator(REAL, FAKE)] == pytest.approx([real_term, fake_term], rel=1e-5)


@pytest.mark.parametrize("name", GANS)
def test_the_two_play_against_each_other(name):
    """Near the border between real and fake, D lowers the score of a fake, and the generator raises it."""
    fake = tf.constant([0.3, -0.2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake)
        generator, (_, d_fake) = GAN_LOSSES[name].generator(fake), GAN_LOSSES[name].discriminator(fake, fake)
    assert np.all(tape.gradient(generator, fake).numpy() < 0)
    assert float(tf.reduce_sum(tape.gradient(d_fake, fake))) > 0


def test_the_family_is_the_papers():
    assert set(GAN_LOSSES) == set(GANS)
    assert [name for name in GANS if GAN_LOSSES[name].clips] == ["wgan"]
    assert [name for name in GANS if GAN_LOSSES[name].penalised] == ["wgan-gp"]
    assert [name for name in GANS if GAN_LOSSES[name].names_fakes] == ["acgan"]


def test_agreement_is_the_log_odds_of_the_opinion():
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(0, 2, (2, 3, 3, 3, 4)), tf.float32)
    prediction = tf.constant(rng.dirichlet(np.ones(4), (2, 3, 3, 3)), tf.float32)
    share = tf.exp(log_opinion(logits, tf.math.log(prediction))).numpy()
    scores = agreement(logits, tf.math.log(prediction)).numpy()
    assert scores.shape == (2, 3, 3, 3)
    assert np.allclose(scores, np.log(share / (1 - share)), atol=1e-3)


def test_agreement_stays_finite_where_d_is_sure():
    logits = tf.constant([[60.0, 0, 0, 0], [-60.0, 60.0, 0, 0]])
    log_prediction = tf.math.log(tf.constant([[1.0, 1e-7, 1e-7, 1e-7], [1.0, 1e-7, 1e-7, 1e-7]]))
    with tf.GradientTape() as tape:
        tape.watch([logits, log_prediction])
        scores = agreement(logits, log_prediction)
    assert np.isfinite(scores).all() and scores[0] > 10 > -10 > scores[1]
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(scores, [logits, log_prediction]))


@pytest.mark.parametrize("slope, expected", [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_gradient_penalty_by_hand(slope, expected):
    """The score of an image is `slope` times its mean: whatever the size, √n ‖∇‖ is the slope."""
    for shape in ((2, 4, 4, 4, 1), (2, 4, 6, 2, 2)):
        real, fake = (tf.random.stateless_normal(shape, [seed, 0]) for seed in (1, 2))
        share = tf.constant([0.2, 0.7])
        value = gradient_penalty(lambda x: slope * tf.reduce_mean(x, -1), real, fake, share)
        assert float(value) == pytest.approx(expected, abs=1e-4)


def test_gradient_penalty_is_taken_between_the_images():
    """The score is half the sum of squares, so that the gradient is the image itself."""
    real, fake = tf.fill((1, 2, 2, 2, 1), 4.0), tf.fill((1, 2, 2, 2, 1), 2.0)
    value = gradient_penalty(lambda x: tf.reduce_sum(x, -1) ** 2 / 2, real, fake, tf.constant([0.25]))
    assert float(value) == pytest.approx((0.25 * 4 + 0.75 * 2 - 1) ** 2, rel=1e-4)


def test_feature_matching():
    real, fake = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.0, 1.0], [1.0, 1.0]])
    assert float(feature_matching_loss(real, fake)) == pytest.approx((1 + 4) / 2)
