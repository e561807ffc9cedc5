"""What segments the raw image of a scan: a `Segmenter`, an `Ensemble` of them, or the `ServedSegmenter` of a server."""

from typing import Protocol

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.inference.tissue_maps import TissueMaps


class ScanSegmenter(Protocol):
    """Segments scans that lie on the grid of its networks.

    Attributes:
        tissues: names of the classes 1, 2, ….
        preparation: how a scan is brought to that grid.
        takes_missing_modality: whether it was trained for scans that lack a modality.
    """

    tissues: tuple[str, ...]
    preparation: Preparation
    takes_missing_modality: bool

    def __call__(self, image: np.ndarray) -> TissueMaps:
        """Segments one scan `(i, j, k, modality)` of raw intensities on its `NetworkGrid`, 0 where nothing is; a
        modality that is 0 everywhere is missing."""
