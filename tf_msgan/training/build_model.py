"""What a run stands on: threads, seeds, determinism and optimisers."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_msgan.config import Config
from tf_msgan.models.make_model import make_model
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.training.optimizers import make_optimizer
from tf_msgan.training.schedule import make_schedule


def build_model(modalities: Sequence[str], tissues: Sequence[str], config: Config) -> SegmentationModel:
    """Seeds every source of randomness, then builds and compiles the model. Call it in the strategy's scope."""
    training = config.training
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    model = make_model(modalities, tissues, config)
    optimizers = {
        learner.optimizer: make_optimizer(training, against_discriminator=learner.makes_images)
        for learner in model.learners.values()
    }
    model.compile(schedule=make_schedule(training), **optimizers)
    return model
