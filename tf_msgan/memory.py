"""Memory that did not suffice."""

import contextlib

import tensorflow as tf

from tf_msgan.errors import InputError


@contextlib.contextmanager
def memory_named(where, expected):
    """Makes an `InputError` of what NumPy and TensorFlow raise when there is no memory left."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        # TensorFlow calls a full disk an exhausted resource, too.
        if isinstance(error, tf.errors.OpError) and "alloc" not in str(error):
            raise
        reason = str(error).strip().splitlines()
        raise InputError(where, f"no memory left ({reason[0] if reason else 'all is taken'})", expected) from None
