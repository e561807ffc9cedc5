"""Muon for the kernels of 3-D convolutions."""

from keras import ops, optimizers

# The layers that put out maps (`tf_msgan.models.blocks.voxel_head`).
HEAD = "_logits/"


class KernelMuon(optimizers.Muon):
    """Muon (Jordan et al. 2024) for the kernels of convolutions; AdamW, as advised, for biases, dense layers, heads.

    Keras's own leaves all that is not a matrix to AdamW. Here a kernel `(i, j, k, in, out)` is the matrix that takes a
    neighbourhood of i·j·k·in values to the outputs, and a transposed one the matrix that takes the inputs to theirs.
    Updates are as large as AdamW's (Liu et al. 2025, `rms_rate`), so both have one learning rate and one weight decay.
    """

    def _should_use_adamw(self, variable):
        return len(variable.shape) != 5 or HEAD in variable.path

    def _muon_update_step(self, gradient, variable, lr, m):
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        ahead = ops.add(gradient, self.momentum * m)
        matrix = ops.reshape(ahead, (-1, ahead.shape[-1]))
        update = self.lr_adjust(self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, lr * ops.reshape(update, variable.shape))
