"""The optimisers of networks."""

from keras import optimizers

from tf_msgan.config import TrainingConfig
from tf_msgan.training.muon import KernelMuon


def make_optimizer(training: TrainingConfig, against_discriminator: bool = False) -> optimizers.Optimizer:
    """Returns the optimiser of a network; loss-scaled under mixed_float16. The model clips gradients and sets the rate.

    Without normalisation the networks need warm-up, decay and clipping. One that makes images to fool D has AdamW in
    any case, with less momentum (Radford et al. 2016).
    """
    decay = training.weight_decay
    if training.optimizer == "muon" and not against_discriminator:
        optimizer = KernelMuon(training.lr, weight_decay=decay, adam_weight_decay=decay)
    else:
        optimizer = optimizers.AdamW(training.lr, weight_decay=decay, beta_1=0.5 if against_discriminator else 0.9)
    return optimizers.LossScaleOptimizer(optimizer) if training.precision == "mixed_float16" else optimizer
