"""From raw intensities to what networks see, in TensorFlow: one and the same code in training and in a served graph."""

import tensorflow as tf

from tf_msgan.config import Preparation
from tf_msgan.preprocessing.mask import find_mask, find_modalities
from tf_msgan.preprocessing.reserved_values import BACKGROUND

# Outliers are cut at this many standard deviations, so that a bright vessel cannot rule a patch.
CLIP = 5.0
# `percentile` takes what lies between these to ±`PERCENTILE_SCORE`.
PERCENTILES = (0.5, 99.5)
# Within this many standard deviations of its mean a normal distribution has 99 %.
PERCENTILE_SCORE = 2.5758


def normalise(image: tf.Tensor, preparation: Preparation) -> tf.Tensor:
    """Takes a raw `(i, j, k, modality)` float32 image to float32 `(i, j, k, modality + 1)`: scores of mean 0 and
    standard deviation 1, cut at ±`CLIP`, and as the last channel the mask, outside which all is 0.

    Mean and deviation are the scan's own, over the mask; with `crop` "nonzero" over the voxels above the mask's mean,
    which leaves out the air around a head (TorchIO's `ZNormalization.mean`). A modality that is 0 everywhere is
    missing: it gets the value of the background.
    """
    mask = tf.cast(find_mask(image), tf.float64)[..., None]
    values = tf.cast(image, tf.float64) * mask
    counted = mask
    if preparation.crop == "nonzero":
        counted = tf.cast(values > _mean(values, mask), tf.float64) * mask
    if preparation.normalise == "percentile":
        among = tf.broadcast_to(counted > 0, tf.shape(values))
        low, high = (_percentile(values, among, share) for share in PERCENTILES)
        middle, deviation = (low + high) / 2, (high - low) / (2 * PERCENTILE_SCORE)
    else:
        middle = _mean(values, counted)
        deviation = tf.sqrt(_mean(tf.square(values - middle), counted))
    scores = tf.clip_by_value(tf.math.divide_no_nan(values - middle, deviation), -CLIP, CLIP)
    scores = tf.where(find_modalities(image), scores, BACKGROUND) * mask
    return tf.cast(tf.concat([scores, mask], axis=-1), tf.float32)


def _mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Means by channel, `(channel,)`, over all voxels; `weights` may have one channel for all."""
    axes = [0, 1, 2]
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights, axes), tf.reduce_sum(weights, axes))


def _percentile(values: tf.Tensor, counted: tf.Tensor, share: float) -> tf.Tensor:
    """Percentiles by channel, `(channel,)`, linear between the two nearest values as in NumPy; 0 of no values."""

    def of_channel(n: int) -> tf.Tensor:
        chosen = tf.sort(tf.boolean_mask(values[..., n], counted[..., n]))
        chosen = tf.cond(tf.size(chosen) > 0, lambda: chosen, lambda: tf.zeros([1], chosen.dtype))
        at = tf.cast(tf.size(chosen) - 1, tf.float64) * share / 100
        low = tf.cast(tf.floor(at), tf.int32)
        high = tf.minimum(low + 1, tf.size(chosen) - 1)
        return chosen[low] + (at - tf.floor(at)) * (chosen[high] - chosen[low])

    return tf.stack([of_channel(n) for n in range(values.shape[-1])])
