"""The models that can be trained, by name."""

from tf_msgan.config import Config
from tf_msgan.models.ablations import WithoutOutlines, WithoutVariants
from tf_msgan.models.multi_stage_gan import MultiStageGAN
from tf_msgan.models.one_stage_gan import OneStageGAN
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.models.standard_gan import StandardGAN
from tf_msgan.models.unet_model import UNetModel

MODELS = {"unet": UNetModel, "standard-gan": StandardGAN, "one-stage": OneStageGAN, "multi-stage": MultiStageGAN}


def model_class(config: Config) -> type[SegmentationModel]:
    """The model that `config` names, or multi-stage without the stage that it leaves out."""
    if config.model == "multi-stage" and not config.network.outlines:
        return WithoutOutlines
    if config.model == "multi-stage" and not config.network.variants:
        return WithoutVariants
    return MODELS[config.model]


def make_model(modalities, tissues, config: Config) -> SegmentationModel:
    """Returns the model of `config`, with new weights."""
    return model_class(config)(modalities, tissues, config)
