"""Threads of TensorFlow."""

import tensorflow as tf


def set_threads(count: int) -> None:
    """Bounds the threads of TensorFlow. Call it before anything else of it."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)
