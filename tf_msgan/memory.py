"""Memory that did not suffice."""

import contextlib
import errno

import tensorflow as tf

from tf_msgan.errors import InputError


@contextlib.contextmanager
def memory_named(where, expected):
    """Makes an `InputError` of what NumPy and TensorFlow raise when there is no memory left, and an `OSError` of what
    TensorFlow raises when there is no room left on the disk."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        reason = (str(error).strip().splitlines() or ["all is taken"])[0]
        # TensorFlow calls a full disk an exhausted resource, too.
        if isinstance(error, tf.errors.OpError) and "alloc" not in str(error):
            raise OSError(errno.ENOSPC, reason, str(where)) from None
        raise InputError(where, f"no memory left ({reason})", expected) from None
