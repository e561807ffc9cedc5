"""Operations are counted as by hand."""

import tensorflow as tf

from benchmarks.flops import count_flops


def test_operations_of_a_convolution_and_its_gradients():
    kernel = tf.Variable(tf.ones([3, 3, 3, 2, 5]))

    def forward(x):
        return tf.nn.conv3d(x, kernel, [1] * 5, "SAME")

    def backward(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(forward(x) ** 2)
        return tape.gradient(y, [x, kernel])

    spec = tf.TensorSpec([4, 6, 7, 8, 2])
    once = 2 * 4 * 6 * 7 * 8 * 27 * 2 * 5
    assert count_flops(tf.function(forward).get_concrete_function(spec)) == once
    # Forward, to the input, and to the kernel.
    assert count_flops(tf.function(backward).get_concrete_function(spec)) == 3 * once
