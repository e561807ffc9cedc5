"""What a run stands on: threads, seeds, determinism and optimisers."""

import keras
import tensorflow as tf
from keras import optimizers

from tf_msgan.config import Config, TrainingConfig
from tf_msgan.training.models import make_model
from tf_msgan.training.schedule import make_schedule
from tf_msgan.training.segmentation_model import SegmentationModel


def set_threads(count: int):
    """Bounds the threads of TensorFlow. Call it before anything else of it."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def make_optimizer(training: TrainingConfig, beta_1: float = 0.9) -> optimizers.Optimizer:
    """AdamW; loss-scaled under mixed_float16. The model clips the gradients and sets the learning rate.

    Without normalisation the networks need warm-up, decay and clipping (docs/decisions.md).
    """
    adam = optimizers.AdamW(training.lr, weight_decay=training.weight_decay, beta_1=beta_1)
    return optimizers.LossScaleOptimizer(adam) if training.precision == "mixed_float16" else adam


def build_model(modalities: int, tissues, config: Config) -> SegmentationModel:
    """Seeds every source of randomness, then builds and compiles the model. Call it in the strategy's scope."""
    training = config.training
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    model = make_model(modalities, tissues, config)
    # What plays against D gets less momentum (Radford et al. 2016).
    betas = {name: 0.5 if name == model.IMAGE_GENERATOR else 0.9 for name in model.LEARNERS}
    optimizers = {f"{name}_optimizer": make_optimizer(training, beta_1=beta) for name, beta in betas.items()}
    model.compile(schedule=make_schedule(training), **optimizers)
    return model
