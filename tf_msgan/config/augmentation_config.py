"""How strongly labelled patches are changed."""

from dataclasses import dataclass

from tf_msgan.config.option import SHARE, SHARE_BELOW_1, STRENGTH, WEIGHT, Options, option


@dataclass(frozen=True)
class Augmentation(Options, part="augmentation"):
    """Strengths of the random changes to labelled patches; every draw is uniform over ±strength unless said
    otherwise."""

    mirror: float = option(0.5, "chance of a flip of the first axis, left–right", bounds=SHARE)
    warp_share: float = option(0.7, "chance that a patch is turned and scaled at all", bounds=SHARE)
    rotation_degrees: float = option(25.0, "about each axis", bounds=WEIGHT)
    scale: float = option(0.25, "of each axis, relative", bounds=STRENGTH)
    brightness: float = option(0.15, "added, in standard deviations of the brain", bounds=WEIGHT)
    contrast: float = option(0.15, "relative", bounds=STRENGTH)
    gamma: float = option(0.2, "exponent e^±gamma over the range −4..4", bounds=WEIGHT)
    noise: float = option(0.15, "standard deviation is drawn from 0..noise", bounds=WEIGHT)
    bias: float = option(0.1, "of a quadratic polynomial field's coefficients, relative", bounds=WEIGHT)
    drop_modality: float = option(
        0.0,
        "chance that a modality is taken away from a patch, labelled or not, so that scans may lack one; one stays",
        bounds=SHARE_BELOW_1,
        flag="--drop-modality",
        group="scans",
        metavar="P",
    )

    @property
    def may_lack_modality(self) -> bool:
        """Whether scans may lack a modality, in training and in prediction: only who learned that can do without."""
        return self.drop_modality > 0
