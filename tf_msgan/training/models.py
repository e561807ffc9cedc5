"""The models that can be trained, by name."""

from tf_msgan.config import Config
from tf_msgan.training.ablations import WithoutOutlines, WithoutVariants
from tf_msgan.training.msgan import MultiStageGAN
from tf_msgan.training.one_stage import OneStageGAN
from tf_msgan.training.segmentation_model import SegmentationModel
from tf_msgan.training.standard_gan import StandardGAN
from tf_msgan.training.unet_model import UNetModel

MODELS = {"unet": UNetModel, "standard-gan": StandardGAN, "one-stage": OneStageGAN, "multi-stage": MultiStageGAN}


def model_class(config: Config) -> type[SegmentationModel]:
    """The model that `config` names, or multi-stage without the stage that it leaves out."""
    if config.model == "multi-stage" and not config.network.outlines:
        return WithoutOutlines
    if config.model == "multi-stage" and not config.network.variants:
        return WithoutVariants
    return MODELS[config.model]


def make_model(modalities: int, tissues, config: Config) -> SegmentationModel:
    """Returns the model of `config`, with new weights."""
    return model_class(config)(modalities, tissues, config)
