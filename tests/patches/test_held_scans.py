"""Scans in memory."""

import numpy as np
import tensorflow as tf

from tf_msgan.patches.cropped_scan import crop_scan
from tf_msgan.patches.scan_source import hold_scans
from tf_msgan.preprocessing.scan import Scan


def test_scans_of_any_shape_are_given_as_they_were_held():
    """And a graph that takes them is as large for many scans as for one."""
    random = np.random.default_rng(0)

    def scan(*shape):
        masked = random.normal(size=(*shape, 3)).astype(np.float32)
        labels = random.integers(0, 4, shape).astype(np.uint8)
        return Scan("x", masked, labels, random.random(shape) < 0.5, (1.0, 2.0, 3.0))

    scans = [scan(4 + number, 5, 6) for number in range(7)]
    graphs = []
    for held in (hold_scans(scans[:1]), hold_scans(iter(scans))):
        taken = tf.function(held).get_concrete_function(tf.TensorSpec([], tf.int32))
        graphs.append((len(taken.graph.get_operations()), len(taken.graph.captures)))
        for number in range(len(held.shapes)):
            expected = crop_scan(scans[number])
            assert all(np.array_equal(a, b) for a, b in zip(taken(number), expected, strict=True))
    assert graphs[0] == graphs[1]
