"""What is known of every voxel of a scan."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TissueMaps:
    """A scan's maps on the grid of its image.

    Attributes:
        labels: `(i, j, k)` uint8 classes.
        probabilities: `(i, j, k, K)` float32.
        p_real: `(i, j, k)` float32, P(real) by D in 0..1 and 0 where no tile was refined; or None.
        outline: `(i, j, k)` float32, P(brain) by the coarse stage, 0..1; or None.
        outline_failed: the coarse stage found hardly any brain, so that every tile was refined.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    p_real: np.ndarray | None
    outline: np.ndarray | None
    outline_failed: bool
