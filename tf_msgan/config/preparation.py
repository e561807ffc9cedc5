"""What is done to a scan before networks see it."""

import math
from dataclasses import dataclass

from tf_msgan.config.option import Bounds, Options, option

CROPS = ("brain", "nonzero")
NORMALISATIONS = ("zscore", "percentile")


def _are_sides(spacing: tuple[object, ...]) -> bool:
    return len(spacing) == 3 and all(isinstance(mm, (int, float)) and 0.05 <= mm <= 30 for mm in spacing)


@dataclass(frozen=True)
class Preparation(Options, part="preparation"):
    """What is done to a scan before networks see it, in training and in prediction alike."""

    crop: str = option(
        "brain",
        "brain: skull-stripped scans, in which all that is not 0 is brain; nonzero: heads",
        choices=CROPS,
        flag="--crop",
        group="scans",
        chosen="detected",
    )
    normalise: str = option(
        "zscore", "how intensities are scored", choices=NORMALISATIONS, flag="--normalise", group="scans"
    )
    n4: bool = option(False, "correct the bias field first (needs SimpleITK)", flag="--n4", group="scans")
    resample: float = option(
        0.0,
        "mm of the cubic voxels to resample to",
        bounds=Bounds("0.3 to 30 mm, or 0 for each scan's own", lambda mm: mm == 0 or 0.3 <= mm <= 30),
        flag="--resample",
        group="scans",
        metavar="MM",
        chosen="each scan's own",
    )
    spacing: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0),
        "mm of a typical training scan's voxels, as networks see them: patches and tiles are about as long in mm along "
        "every axis",
        bounds=Bounds("three of 0.05 to 30 mm", _are_sides),
        chosen="that of the training subjects",
    )

    def __post_init__(self) -> None:
        # JSON has no tuples.
        object.__setattr__(self, "spacing", tuple(self.spacing))
        super().__post_init__()

    def block(self, side: int, multiple: int) -> tuple[int, int, int]:
        """Returns the voxels along i, j, k of a block that has about `side`³ and is about as long in mm along every
        axis; each divides by `multiple`."""
        mean = math.prod(self.spacing) ** (1 / 3)
        i, j, k = (max(round(side * mean / mm / multiple), 1) * multiple for mm in self.spacing)
        return i, j, k


STRIPPED = Preparation()
