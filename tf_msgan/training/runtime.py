"""What a run stands on: threads, seeds, determinism and optimisers."""

import keras
import tensorflow as tf
from keras import optimizers

from tf_msgan.config import Config, TrainingConfig
from tf_msgan.training.models import make_model
from tf_msgan.training.muon import KernelMuon
from tf_msgan.training.schedule import make_schedule
from tf_msgan.training.segmentation_model import SegmentationModel


def set_threads(count: int):
    """Bounds the threads of TensorFlow. Call it before anything else of it."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def make_optimizer(training: TrainingConfig, against: bool = False) -> optimizers.Optimizer:
    """The optimiser of a network; loss-scaled under mixed_float16. The model clips gradients and sets the rate.

    Without normalisation the networks need warm-up, decay and clipping. One that makes images `against` D has AdamW in
    any case, with less momentum (Radford et al. 2016).
    """
    decay = training.weight_decay
    if training.optimizer == "muon" and not against:
        optimizer = KernelMuon(training.lr, weight_decay=decay, adam_weight_decay=decay)
    else:
        optimizer = optimizers.AdamW(training.lr, weight_decay=decay, beta_1=0.5 if against else 0.9)
    return optimizers.LossScaleOptimizer(optimizer) if training.precision == "mixed_float16" else optimizer


def build_model(modalities: int, tissues, config: Config) -> SegmentationModel:
    """Seeds every source of randomness, then builds and compiles the model. Call it in the strategy's scope."""
    training = config.training
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    model = make_model(modalities, tissues, config)
    optimizers = {
        f"{name}_optimizer": make_optimizer(training, against=name == model.IMAGE_GENERATOR) for name in model.LEARNERS
    }
    model.compile(schedule=make_schedule(training), **optimizers)
    return model
