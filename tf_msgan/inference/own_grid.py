"""Segments scans as their files have them, whatever grid the networks see."""

from collections.abc import Callable

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.preprocessing.raw_image import network_grid, take_image


def segment_volumes(
    volumes: list[Volume | None], segment: Callable[[np.ndarray], TissueMaps], preparation: Preparation
) -> TissueMaps:
    """Segments the modalities of one scan, `read_images`'s volumes. The maps lie on the grid of their files.

    `segment` takes a raw image `(i, j, k, modality)`: a `Segmenter`, or a server.
    """
    grid = network_grid(volumes, preparation)
    return give_back(segment(take_image(volumes, grid, preparation)), grid)


def give_back(result: TissueMaps, grid: NetworkGrid) -> TissueMaps:
    """Brings the maps to the file's grid. Labels are taken anew from probabilities that were interpolated."""

    def one(values):
        return None if values is None else grid.give_back(values[..., None])[..., 0]

    probabilities = grid.give_back(result.probabilities)
    labels = np.argmax(probabilities, axis=-1).astype(np.uint8) if grid.resampled else one(result.labels)
    return TissueMaps(labels, probabilities, one(result.p_real), one(result.outline), result.outline_failed)
