"""The options of a run: dataclasses, presets, and JSON both ways."""

from tf_msgan.config.augmentation_config import Augmentation
from tf_msgan.config.config import MODELS, Config, every_option
from tf_msgan.config.loss_config import GANS, LossConfig
from tf_msgan.config.network_config import NetworkConfig
from tf_msgan.config.preparation import CROPS, NORMALISATIONS, STRIPPED, Preparation
from tf_msgan.config.presets import PRESETS, choose_preset
from tf_msgan.config.schema import SCHEMA, read_schema
from tf_msgan.config.training_config import OPTIMIZERS, PRECISIONS, SCHEDULES, STRATEGIES, TrainingConfig

__all__ = [
    "CROPS",
    "GANS",
    "MODELS",
    "NORMALISATIONS",
    "OPTIMIZERS",
    "PRECISIONS",
    "PRESETS",
    "SCHEDULES",
    "SCHEMA",
    "STRATEGIES",
    "STRIPPED",
    "Augmentation",
    "Config",
    "LossConfig",
    "NetworkConfig",
    "Preparation",
    "TrainingConfig",
    "choose_preset",
    "every_option",
    "read_schema",
]
