"""How the learning rate goes over a run."""

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule, PolynomialDecay

from tf_msgan.config import TrainingConfig

# The power of nnU-Net's polynomial schedule (Isensee et al. 2021).
POLY_POWER = 0.9


def make_schedule(training: TrainingConfig) -> LearningRateSchedule:
    """Rises linearly from 0 over `warmup_steps`, then falls from `lr` to `final_lr` × `lr` at the last step."""
    steps = max(training.epochs * training.steps_per_epoch - training.warmup_steps, 1)
    if training.schedule == "cosine":
        fall = CosineDecay(training.lr, steps, alpha=training.final_lr)
    else:
        fall = PolynomialDecay(training.lr, steps, training.final_lr * training.lr, POLY_POWER)
    return WarmUp(training.lr, training.warmup_steps, fall)


@keras.saving.register_keras_serializable("tf_msgan")
class WarmUp(LearningRateSchedule):
    """Rises linearly from 0 to `lr` over `steps`, then follows `after` from its start."""

    def __init__(self, lr, steps, after):
        self.lr = lr
        self.steps = steps
        self.after = after

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rising = self.lr * step / max(self.steps, 1)
        return ops.where(step < self.steps, rising, self.after(ops.maximum(step - self.steps, 0.0)))

    def get_config(self):
        return {"lr": self.lr, "steps": self.steps, "after": keras.saving.serialize_keras_object(self.after)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "after": keras.saving.deserialize_keras_object(config["after"])})
