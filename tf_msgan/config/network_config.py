"""How wide the networks are, and which stages there are."""

from dataclasses import dataclass

from tf_msgan.config.checks import check_field


@dataclass(frozen=True)
class NetworkConfig:
    """Widths of the networks, in channels at their finest level, and the latent vector's length.

    `unet_width` is that of the U-Net and of the standard GAN's segmenter. `outlines` and `variants` say whether the
    multi-stage model has its stages 1 and 2; `coarse_tissues`, whether stage 1 draws the tissues, or outlines the brain
    alone; `fused`, whether its outline of the brain is multiplied into stage 3's tissues, beside guiding stage 3.
    """

    coarse_width: int = 24
    noise_width: int = 8
    refine_width: int = 16
    unet_width: int = 16
    discriminator_width: int = 8
    latent: int = 16
    outlines: bool = True
    variants: bool = True
    coarse_tissues: bool = True
    fused: bool = False

    def __post_init__(self):
        for name in ("coarse", "noise", "refine", "unet", "discriminator"):
            check_field(self, f"{name}_width", "1 or more", lambda width: width >= 1)
        check_field(self, "latent", "1 or more", lambda length: length >= 1)
