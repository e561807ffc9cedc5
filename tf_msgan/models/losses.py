"""The losses but for the GAN family, as pure functions of tensors (docs/paper.md has the table of equations).

Logits are D's, `(batch, i, j, k, K)`, for the K real classes; the logit of "fake" is 0. Probabilities are
`(batch, i, j, k, K)` in 0..1 and sum to 1 over the last axis. Labels are `(batch, i, j, k)` integers in 0..K-1 or
`IGNORE`. Every loss is a float32 scalar, a mean over voxels; the natural logarithm is used throughout.

On several replicas a loss is such that its mean over the replicas is the loss of the whole batch, and so are gradients:
plain means are local, and sums that a ratio or a square is made of run over all replicas.
"""

import tensorflow as tf

from tf_msgan.models.replicas import sum_replicas
from tf_msgan.preprocessing.reserved_values import BACKGROUND, IGNORE

TINY = 1e-7


def total(values: tf.Tensor, axis: tuple[int, ...] | None = None) -> tf.Tensor:
    """Returns the sum over `axis` and over all replicas."""
    return sum_replicas(tf.reduce_sum(values, axis))


def batch_mean(values: tf.Tensor) -> tf.Tensor:
    """Returns the mean over the first axis, of the whole batch: replicas have equal parts of it."""
    return sum_replicas(tf.reduce_mean(values, axis=0)) / tf.distribute.get_strategy().num_replicas_in_sync


def real_log_odds(logits: tf.Tensor) -> tf.Tensor:
    """Returns the log-odds of P(real), `(batch, i, j, k)`: s(x) = logsumexp of the K logits, so that P(real) =
    Z / (Z + 1) = sigmoid(s)."""
    return tf.reduce_logsumexp(tf.cast(logits, tf.float32), axis=-1)


def real_shares(**logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns P(real) = Z / (Z + 1), a mean over voxels, in 0..1, of each of several logits: NAME becomes real_NAME."""
    return {f"real_{name}": tf.reduce_mean(tf.sigmoid(real_log_odds(values))) for name, values in logits.items()}


def valid_one_hot(labels: tf.Tensor, classes: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `(batch, i, j, k, K)` one-hot labels, all 0 where ignored, and `(batch, i, j, k)` 1 where not."""
    labels = tf.cast(labels, tf.int32)
    return tf.one_hot(tf.where(labels == IGNORE, -1, labels), classes), tf.cast(labels != IGNORE, tf.float32)


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the mean of `values` where `mask` is 1; 0 where it is nowhere."""
    return tf.math.divide_no_nan(total(values * mask), total(mask))


def labelled_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Eq. 10: −log P(y given x, real), cross-entropy over the K real classes, in 0..∞."""
    target, valid = valid_one_hot(labels, logits.shape[-1])
    return masked_mean(-tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1), valid)


def level_loss(logits: tf.Tensor) -> tf.Tensor:
    """Mean s(x)², in 0..∞: eq. 10 leaves the level of the logits free, and this keeps it at P(real) = ½ (the z-loss of
    Chowdhery et al. 2022)."""
    return tf.reduce_mean(tf.square(real_log_odds(logits)))


def log_opinion(logits: tf.Tensor, log_prediction: tf.Tensor) -> tf.Tensor:
    """log D(x, p), `(batch, i, j, k)` in −∞..0, for log p: D(x, p) = Σ_k p_k · P_{K+1}(k given x), with P_{K+1}(k given
    x) = exp(l_k) / (Z + 1), is how far D agrees with a prediction p."""
    return tf.reduce_logsumexp(log_prediction + logits, axis=-1) - tf.nn.softplus(real_log_odds(logits))


def prediction_loss(logits: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
    """Eq. 14 for G1 and G3: −log D(x, p), a mean over voxels, in 0..∞. D is the judge: no gradient reaches it."""
    return -tf.reduce_mean(log_opinion(tf.stop_gradient(logits), tf.math.log(prediction + TINY)))


def brain_labels(labels: tf.Tensor) -> tf.Tensor:
    """Returns labels whose classes are background and brain."""
    return tf.where(labels == IGNORE, labels, tf.cast(labels != 0, labels.dtype))


def brain_logits(logits: tf.Tensor) -> tf.Tensor:
    """Returns D's logits of (background, brain), `(batch, i, j, k, 2)`, from those of its classes."""
    return tf.stack([logits[..., 0], tf.reduce_logsumexp(logits[..., 1:], axis=-1)], axis=-1)


def latent_recovery_loss(z: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """−log N(z; μ, σ²) up to a constant, a mean over `(batch, latent)`: x̃ must tell which z made it, so that other z
    give other x̃ (the variational term of Dai et al. 2017)."""
    log_variance = tf.clip_by_value(log_variance, -5.0, 5.0)
    return 0.5 * tf.reduce_mean(log_variance + tf.square(z - mean) * tf.exp(-log_variance))


def difference(one: tf.Tensor, other: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Returns how far two variants `(batch, i, j, k, modality)` of an image lie apart: the mean of |x̃₁ − x̃₂| over the
    brain, in standard deviations of its intensity, in 0..∞."""
    return masked_mean(tf.abs(one - other), tf.cast(image != BACKGROUND, tf.float32))


def diversity_loss(apart: tf.Tensor, wanted: float) -> tf.Tensor:
    """Returns how much less than `wanted` two variants differ, in 0..`wanted`.

    Without it G2 returns the image itself, whatever z: nothing fools D better (docs/decisions.md).
    """
    return tf.nn.relu(wanted - apart)


def segmentation_loss(prediction: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns cross-entropy plus `overlap_loss` of a generator's prediction on labelled voxels, in 0..∞."""
    target, valid = valid_one_hot(labels, prediction.shape[-1])
    cross_entropy = masked_mean(-tf.reduce_sum(target * tf.math.log(prediction + TINY), axis=-1), valid)
    return cross_entropy + overlap_loss(prediction, labels)


def overlap_loss(prediction: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns 1 − Dice of a prediction on labelled voxels, in 0..1.

    Dice is taken over the batch, for each tissue that is in it; the background, most of a patch, is left to the
    cross-entropy.
    """
    target, valid = valid_one_hot(labels, prediction.shape[-1])
    seen = prediction * valid[..., None]
    overlap, truth, sizes = (total(values, axis=(0, 1, 2, 3))[1:] for values in (seen * target, target, seen + target))
    dice = (2 * overlap + 1) / (sizes + 1)
    present = tf.cast(truth > 0, tf.float32)
    return 1 - tf.math.divide_no_nan(tf.reduce_sum(dice * present), tf.reduce_sum(present))
