"""How strongly labelled patches are changed."""

from dataclasses import dataclass

from tf_msgan.config.checks import check_field, check_option, is_weight


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the random changes to labelled patches; every draw is uniform over ±strength unless said otherwise.

    Attributes:
        mirror: chance of a flip of the first axis, left–right.
        warp_share: chance that a patch is turned and scaled at all.
        rotation_degrees: about each axis.
        scale: of each axis, relative.
        brightness: added, in standard deviations of the brain.
        contrast: relative.
        gamma: exponent e^±gamma over the range −4..4.
        noise: standard deviation is drawn from 0..noise.
        bias: of a quadratic polynomial field's coefficients, relative.
        drop_modality: chance that a modality is taken away from a patch, labelled or not; one always stays.
    """

    mirror: float = 0.5
    warp_share: float = 0.7
    rotation_degrees: float = 25.0
    scale: float = 0.25
    brightness: float = 0.15
    contrast: float = 0.15
    gamma: float = 0.2
    noise: float = 0.15
    bias: float = 0.1
    drop_modality: float = 0.0

    def __post_init__(self):
        for name in vars(self):
            check_field(self, name, "0 or more", is_weight)
        for name in ("mirror", "warp_share"):
            check_field(self, name, "within 0..1", lambda chance: chance <= 1)
        for name in ("scale", "contrast"):
            check_field(self, name, "below 1", lambda strength: strength < 1)
        check_option("drop_modality", self.drop_modality, "within 0..1, below 1", 0 <= self.drop_modality < 1)

    @property
    def may_lack_modality(self) -> bool:
        """Whether scans may lack a modality, in training and in prediction: only who learned that can do without."""
        return self.drop_modality > 0
