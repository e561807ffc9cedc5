"""The models that can be trained, by name."""

from collections.abc import Sequence

from tf_msgan.config import Config
from tf_msgan.models.multi_stage_gan import MultiStageGAN
from tf_msgan.models.one_stage_gan import OneStageGAN
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.models.standard_gan import StandardGAN
from tf_msgan.models.unet_model import UNetModel

MODELS = {"unet": UNetModel, "standard-gan": StandardGAN, "one-stage": OneStageGAN, "multi-stage": MultiStageGAN}


def make_model(modalities: Sequence[str], tissues: Sequence[str], config: Config) -> SegmentationModel:
    """Returns the model of `config`, with new weights."""
    return MODELS[config.model](tuple(modalities), tuple(tissues), config)
