"""What is done to a scan before networks see it."""

import math
from dataclasses import dataclass

from tf_msgan.config.checks import check_option

CROPS = ("brain", "nonzero")
NORMALISATIONS = ("zscore", "percentile")


@dataclass(frozen=True)
class Preparation:
    """What is done to a scan before networks see it, in training and in prediction alike.

    Attributes:
        crop: "brain" for skull-stripped scans, in which all that is not 0 is brain; "nonzero" for heads.
        normalise: how intensities are scored, one of `NORMALISATIONS`.
        n4: whether the bias field is corrected first (needs SimpleITK).
        resample: mm of the cubic voxels to resample to; 0 keeps each scan's own.
        spacing: mm of a typical training scan's voxels, as networks see them: patches and tiles are about as long in mm
            along every axis.
    """

    crop: str = "brain"
    normalise: str = "zscore"
    n4: bool = False
    resample: float = 0.0
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self):
        # JSON has no tuples.
        object.__setattr__(self, "spacing", tuple(self.spacing))
        check_option("crop", self.crop, f"one of {', '.join(CROPS)}", self.crop in CROPS)
        check_option(
            "normalise", self.normalise, f"one of {', '.join(NORMALISATIONS)}", self.normalise in NORMALISATIONS
        )
        possible = self.resample == 0 or 0.3 <= self.resample <= 30
        check_option("resample", self.resample, "0.3 to 30 mm, or 0 for each scan's own", possible)

    def block(self, side: int, multiple: int) -> tuple[int, int, int]:
        """Voxels along i, j, k of a block that has about `side`³ and is about as long in mm along every axis; each
        divides by `multiple`."""
        mean = math.prod(self.spacing) ** (1 / 3)
        return tuple(max(round(side * mean / mm / multiple), 1) * multiple for mm in self.spacing)


STRIPPED = Preparation()
