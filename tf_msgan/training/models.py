"""The models that can be trained, by name."""

from tf_msgan.training.ablations import WithoutOutlines, WithoutVariants
from tf_msgan.training.msgan import MultiStageGAN
from tf_msgan.training.one_stage import OneStageGAN
from tf_msgan.training.standard_gan import StandardGAN
from tf_msgan.training.unet_model import UNetModel

MODELS = {"unet": UNetModel, "standard-gan": StandardGAN, "one-stage": OneStageGAN, "multi-stage": MultiStageGAN}


def make_model(modalities: int, tissues, config):
    """Returns the model that `config` names, with new weights, or multi-stage without the stage that it leaves out."""
    kind = MODELS[config.model]
    if config.model == "multi-stage" and not config.network.outlines:
        kind = WithoutOutlines
    elif config.model == "multi-stage" and not config.network.variants:
        kind = WithoutVariants
    return kind(modalities, tissues, config)
