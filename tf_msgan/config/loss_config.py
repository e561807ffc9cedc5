"""What the losses weigh."""

from dataclasses import dataclass

from tf_msgan.config.checks import check_field, check_option, is_weight

GANS = ("minimax", "nsgan", "wgan", "wgan-gp", "lsgan", "acgan")


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses (docs/paper.md).

    Attributes:
        gan: the adversarial pair, one of `GANS`.
        unlabelled, fake: of eqs. 11 and 12 in eq. 9 (Mondal et al. 2018: ½ and ½).
        overlap: of 1 − Dice, beside eq. 10, for D.
        prediction: of eq. 14 for G1 and G3, reached after `prediction_ramp_steps` (D has no opinion worth hearing
            at the start), and half of the game at most.
        perturbation: how far the coarse maps that guide stage 3 are made worse in training; 0 leaves them as they are.
        feature_matching, latent_recovery, diversity: beside G2's adversarial loss.
        variants_differ: how far two variants of an image must lie apart, in standard deviations of the brain.
        gradient_penalty: of D under "wgan-gp" (Gulrajani et al. 2017: 10).
        clip_weights: D's weights stay within ± this under "wgan".
    """

    gan: str = "nsgan"
    unlabelled: float = 0.5
    fake: float = 0.5
    overlap: float = 1.0
    prediction: float = 0.1
    prediction_ramp_steps: int = 300
    perturbation: float = 1.0
    feature_matching: float = 1.0
    latent_recovery: float = 1.0
    diversity: float = 2.0
    variants_differ: float = 0.3
    gradient_penalty: float = 10.0
    clip_weights: float = 0.1

    def __post_init__(self):
        check_option("gan_loss", self.gan, f"one of {', '.join(GANS)}", self.gan in GANS)
        for name in (name for name in vars(self) if name != "gan"):
            check_field(self, name, "0 or more", is_weight)
