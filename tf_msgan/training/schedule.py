"""How the learning rate goes over a run."""

from collections.abc import Callable

import tensorflow as tf
from keras import ops
from keras.optimizers.schedules import CosineDecay, PolynomialDecay

from tf_msgan.config import TrainingConfig

# The power of nnU-Net's polynomial schedule (Isensee et al. 2021).
POLY_POWER = 0.9


def make_schedule(training: TrainingConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the learning rate as a function of the number of steps done: it rises linearly from 0 over
    `warmup_steps`, then falls from `lr` to `final_lr` × `lr` at the last step."""
    steps = max(training.steps - training.warmup_steps, 1)
    if training.schedule == "cosine":
        fall = CosineDecay(training.lr, steps, alpha=training.final_lr)
    else:
        fall = PolynomialDecay(training.lr, steps, training.final_lr * training.lr, POLY_POWER)

    def schedule(step: tf.Tensor) -> tf.Tensor:
        step, warmup = ops.cast(step, "float32"), training.warmup_steps
        rising = training.lr * step / max(warmup, 1)
        return ops.where(step < warmup, rising, fall(ops.maximum(step - warmup, 0.0)))

    return schedule
