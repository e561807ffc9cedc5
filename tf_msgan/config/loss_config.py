"""What the losses weigh."""

from dataclasses import dataclass

from tf_msgan.config.option import COUNT_OR_NONE, WEIGHT, Options, option

GANS = ("minimax", "nsgan", "wgan", "wgan-gp", "lsgan", "acgan")


@dataclass(frozen=True)
class LossConfig(Options, part="loss"):
    """Weights of the losses (docs/paper.md)."""

    gan: str = option("nsgan", "the adversarial pair of losses", choices=GANS, flag="--gan-loss")
    unlabelled: float = option(0.5, "weight of eq. 11 in eq. 9 (Mondal et al. 2018: ½)", bounds=WEIGHT)
    fake: float = option(0.5, "weight of eq. 12 in eq. 9 (Mondal et al. 2018: ½)", bounds=WEIGHT)
    overlap: float = option(1.0, "weight of 1 − Dice, beside eq. 10, for D", bounds=WEIGHT)
    prediction: float = option(0.1, "weight of eq. 14 for G1 and G3", bounds=WEIGHT)
    prediction_ramp_steps: int = option(
        300,
        "steps in which that weight rises, for D has no opinion worth hearing at the start; half of the adversarial "
        "phase at most",
        bounds=COUNT_OR_NONE,
    )
    perturbation: float = option(
        1.0, "how far the coarse maps that guide stage 3 are made worse in training; 0 leaves them", bounds=WEIGHT
    )
    feature_matching: float = option(1.0, "weight beside G2's adversarial loss", bounds=WEIGHT)
    latent_recovery: float = option(1.0, "weight beside G2's adversarial loss", bounds=WEIGHT)
    diversity: float = option(2.0, "weight beside G2's adversarial loss", bounds=WEIGHT)
    variants_differ: float = option(
        0.3,
        "how far two variants of an image must lie apart, in standard deviations of the brain",
        bounds=WEIGHT,
    )
    gradient_penalty: float = option(10.0, "weight, of D under wgan-gp (Gulrajani et al. 2017: 10)", bounds=WEIGHT)
    clip_weights: float = option(0.1, "D's weights stay within ± this under wgan", bounds=WEIGHT)
