"""What share of a step each kind of operator takes."""

import pytest
import tensorflow as tf

from benchmarks.operators import operator_shares


def test_shares_of_operators_are_of_the_whole():
    x = tf.ones([2, 16, 16, 16, 8])
    kernel = tf.ones([3, 3, 3, 8, 8])
    shares = operator_shares(tf.function(lambda: tf.reduce_sum(tf.nn.conv3d(x + 1, kernel, [1] * 5, "SAME"))), 2)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["convolutions"] > 0.2
