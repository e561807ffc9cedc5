"""How wide the networks are, and which stages there are."""

from dataclasses import dataclass

from tf_msgan.config.option import COUNT, Options, option


@dataclass(frozen=True)
class NetworkConfig(Options, part="network"):
    """Widths of the networks, in channels at their finest level, and stages of the multi-stage model."""

    coarse_width: int = option(24, "width of stage 1", bounds=COUNT)
    noise_width: int = option(8, "width of stage 2, and of what makes images", bounds=COUNT)
    refine_width: int = option(16, "width of stage 3", bounds=COUNT)
    unet_width: int = option(16, "width of the U-Net, and of the standard GAN's segmenter", bounds=COUNT)
    discriminator_width: int = option(8, "width of D", bounds=COUNT)
    latent: int = option(16, "length of the latent vector", bounds=COUNT)
    outlines: bool = option(True, "whether the multi-stage model has its stage 1")
    variants: bool = option(True, "whether the multi-stage model has its stage 2")
    coarse_tissues: bool = option(True, "whether stage 1 draws the tissues, or outlines the brain alone")
    fused: bool = option(False, "whether stage 1's outline is multiplied into stage 3's tissues, beside guiding it")
