"""The GAN family, eqs. 1–8, as pairs of pure functions of scores (docs/paper.md has them as printed).

A score s, of any shape, is the log-odds by which D holds something for real: P(real) = sigmoid(s). Of an image it is
`real_log_odds`, `(batch, i, j, k)`; of an image with a prediction it is `agreement`. Every function gives a float32
scalar, a mean over all scores; the natural logarithm is used throughout.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tf_msgan.models.losses import batch_mean, log_opinion


def real_loss(scores: tf.Tensor) -> tf.Tensor:
    """−log P(real) = softplus(−s), in 0..∞. Of an unlabelled image it is eq. 11, −log[Z / (Z + 1)]."""
    return tf.reduce_mean(tf.nn.softplus(-scores))


def fake_loss(scores: tf.Tensor) -> tf.Tensor:
    """−log[1 − P(real)] = softplus(s), in 0..∞. Of a generated image it is eq. 12, −log[1 / (Z + 1)]."""
    return tf.reduce_mean(tf.nn.softplus(scores))


def agreement(logits: tf.Tensor, log_prediction: tf.Tensor) -> tf.Tensor:
    """Returns the score of an image with a prediction p: the log-odds of D(x, p), `(batch, i, j, k)`.

    Args:
        logits: D's of the image, `(batch, i, j, k, K)`.
        log_prediction: log p, the same shape.
    """
    # Of log-odds beyond ±16 float32 keeps nothing.
    log = tf.clip_by_value(log_opinion(logits, log_prediction), -16.0, -1e-7)
    return log - tf.math.log(-tf.math.expm1(log))


class GanLoss(NamedTuple):
    """One member of the family.

    Attributes:
        generator: `(fake)` gives what the generator minimises.
        discriminator: `(real, fake)` gives the two terms that D minimises.
        clips: whether D's weights are kept within ±`LossConfig.clip_weights`.
        penalised: whether D has a gradient penalty, of weight `LossConfig.gradient_penalty`.
        names_fakes: whether D, and the generator through it, must name the tissues of what was generated from labels.
    """

    generator: Callable[[tf.Tensor], tf.Tensor]
    discriminator: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    clips: bool = False
    penalised: bool = False
    names_fakes: bool = False


def minimax_generator(fake: tf.Tensor) -> tf.Tensor:
    """log[1 − P(real)], in −∞..0 (Goodfellow et al. 2014, eq. 1)."""
    return -fake_loss(fake)


def nsgan_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """−log P(real) of what is, −log[1 − P(real)] of what is not, each in 0..∞ (Goodfellow et al. 2014)."""
    return real_loss(real), fake_loss(fake)


def wgan_generator(fake: tf.Tensor) -> tf.Tensor:
    """−E s, in −∞..∞ (Arjovsky et al. 2017)."""
    return -tf.reduce_mean(fake)


def wgan_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """−E s of what is, E s of what is not."""
    return -tf.reduce_mean(real), tf.reduce_mean(fake)


def lsgan_generator(fake: tf.Tensor) -> tf.Tensor:
    """E (s − 1)², in 0..∞ (Mao et al. 2017 with a = 0, b = c = 1)."""
    return tf.reduce_mean(tf.square(fake - 1))


def lsgan_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """E (s − 1)² of what is, E s² of what is not."""
    return tf.reduce_mean(tf.square(real - 1)), tf.reduce_mean(tf.square(fake))


def gradient_penalty(
    score: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor, fake: tf.Tensor, share: tf.Tensor
) -> tf.Tensor:
    """E (√n ‖∇ E s‖₂ − 1)², in 0..∞: D's mean score of an image may not change faster than the image does (Gulrajani
    et al. 2017, in whom n = 1).

    n counts the numbers of an image, so that what counts is the root mean square by which two images differ: else
    patches of other sizes would need other scores.

    Args:
        score: takes images `(batch, …)` and gives scores `(batch, …)`.
        real, fake: images `(batch, …)`.
        share: `(batch,)` in 0..1, of `real` in the image between the two at which the gradient is taken.
    """
    share = tf.reshape(share, [-1, *[1] * (len(real.shape) - 1)])
    between = share * real + (1 - share) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        scores = score(between)
        of_image = tf.reduce_mean(scores, axis=list(range(1, len(scores.shape))))
    # An image's score depends on that image alone, so the sum's gradient is that of each.
    gradient = tape.gradient(of_image, between)
    squares = tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(real.shape))))
    numbers = tf.cast(tf.size(real[0]), tf.float32)
    return tf.reduce_mean(tf.square(tf.sqrt(numbers * squares + 1e-12) - 1))


GAN_LOSSES = {
    "minimax": GanLoss(minimax_generator, nsgan_discriminator),
    "nsgan": GanLoss(real_loss, nsgan_discriminator),
    "wgan": GanLoss(wgan_generator, wgan_discriminator, clips=True),
    "wgan-gp": GanLoss(wgan_generator, wgan_discriminator, penalised=True),
    "lsgan": GanLoss(lsgan_generator, lsgan_discriminator),
    # Odena et al. 2017: as nsgan, and D names the tissues of fakes too.
    "acgan": GanLoss(real_loss, nsgan_discriminator, names_fakes=True),
}


def feature_matching_loss(real_features: tf.Tensor, fake_features: tf.Tensor) -> tf.Tensor:
    """Returns the squared distance between the mean features of real and generated patches, `(batch, features)` each
    (Salimans et al. 2016, as in Mondal et al. 2018)."""
    gap = batch_mean(tf.stop_gradient(real_features)) - batch_mean(fake_features)
    return tf.reduce_mean(tf.square(gap))
