"""Where a scan is, in TensorFlow."""

import tensorflow as tf


def find_modalities(image):
    """Which modalities of `(i, j, k, modality)` are there at all, `(modality,)` bool: not 0 everywhere."""
    return tf.reduce_any(image != 0, axis=[0, 1, 2])


def find_mask(image):
    """Where a scan is, `(i, j, k)` bool: the first modality that is there is not 0."""
    return tf.gather(image, tf.argmax(find_modalities(image)), axis=-1) != 0
