"""Where a scan is, in TensorFlow."""

import tensorflow as tf


def find_modalities(image: tf.Tensor) -> tf.Tensor:
    """Says which modalities of `(i, j, k, modality)` are there, that is not 0 everywhere: `(modality,)` bool."""
    return tf.reduce_any(image != 0, axis=[0, 1, 2])


def find_mask(image: tf.Tensor) -> tf.Tensor:
    """Says where the first modality of `(i, j, k, modality)` that is there is not 0: `(i, j, k)` bool."""
    return tf.gather(image, tf.argmax(find_modalities(image)), axis=-1) != 0
