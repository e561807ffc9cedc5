"""Muon for the kernels of 3-D convolutions."""

import keras
import tensorflow as tf
from keras import ops, optimizers

# The layers that put out maps (`tf_msgan.networks.blocks.voxel_head`).
HEAD = "_logits/"


class KernelMuon(optimizers.Muon):
    """Muon (Jordan et al. 2024) for the kernels of convolutions; AdamW, as advised, for biases, dense layers, heads.

    Keras's own leaves all that is not a matrix to AdamW. Here a kernel `(i, j, k, in, out)` is the matrix that takes a
    neighbourhood of i·j·k·in values to the outputs, and a transposed one the matrix that takes the inputs to theirs.
    Updates are as large as AdamW's (Liu et al. 2025, `rms_rate`), so both have one learning rate and one weight decay.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 5 or HEAD in variable.path

    def _muon_update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, lr: tf.Tensor, m: keras.Variable
    ) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        ahead = ops.add(gradient, self.momentum * m)
        matrix = ops.reshape(ahead, (-1, ahead.shape[-1]))
        update = self.lr_adjust(self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, lr * ops.reshape(update, variable.shape))

    def zeropower_via_newtonschulz5(self, x: tf.Tensor, steps: int) -> tf.Tensor:
        """Returns the orthogonal factor of a matrix, roughly: what Keras's own gives, in a fraction of its operations.

        Each step of Newton and Schulz multiplies x by a polynomial of its Gram matrix, which is small where a kernel is
        long; so the polynomials are multiplied with one another, and x by their product.
        """
        if x.shape[0] < x.shape[1]:
            return ops.transpose(self.zeropower_via_newtonschulz5(ops.transpose(x), steps))
        x = x / (ops.norm(x) + 1e-7)
        gram = ops.matmul(ops.transpose(x), x)
        product = identity = ops.eye(x.shape[1], dtype=x.dtype)
        for _ in range(steps):
            factor = self.muon_a * identity + self.muon_b * gram + self.muon_c * ops.matmul(gram, gram)
            product = ops.matmul(product, factor)
            gram = ops.matmul(ops.matmul(factor, gram), factor)
        return ops.matmul(x, product)
