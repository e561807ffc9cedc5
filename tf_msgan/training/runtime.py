"""What a training run stands on: seeds and optimisers."""

import keras
from keras import optimizers

from tf_msgan.config import TrainingConfig
from tf_msgan.training.msgan import MultiStageGAN


def make_optimizer(training: TrainingConfig, lr: float, beta_1: float = 0.9) -> optimizers.Optimizer:
    """AdamW with linear warm-up, cosine decay and a bound on the gradient's norm.

    Without normalisation the networks need all three (docs/decisions.md).
    """
    schedule = optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(training.epochs * training.steps_per_epoch - training.warmup_steps, 1),
        alpha=training.final_lr,
        warmup_target=lr,
        warmup_steps=training.warmup_steps,
    )
    return optimizers.AdamW(
        schedule, weight_decay=training.weight_decay, beta_1=beta_1, global_clipnorm=training.clip_norm
    )


def build_model(modalities, tissues, config) -> MultiStageGAN:
    """Seeds every source of randomness, then builds and compiles the model."""
    training = config.training
    keras.utils.set_random_seed(training.seed)
    model = MultiStageGAN(modalities, tissues, config, name="multi_stage_gan")
    model.compile(
        coarse_optimizer=make_optimizer(training, training.lr),
        noise_optimizer=make_optimizer(training, training.lr, beta_1=0.5),
        refine_optimizer=make_optimizer(training, training.lr),
        discriminator_optimizer=make_optimizer(training, training.lr),
    )
    return model
