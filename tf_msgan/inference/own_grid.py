"""Segments scans as their files have them, whatever grid the networks see."""

from collections.abc import Callable

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.data.geometry import NetworkGrid
from tf_msgan.data.raw_image import network_grid, take_image
from tf_msgan.data.volumes import Volume
from tf_msgan.inference.segmenter import Segmentation


def segment_volumes(
    volumes: list[Volume | None], segment: Callable[[np.ndarray], Segmentation], preparation: Preparation
) -> Segmentation:
    """Segments the modalities of one scan, `read_images`'s volumes. The maps lie on the grid of their files.

    `segment` takes a raw image `(i, j, k, modality)`: a `Segmenter`, or a server.
    """
    grid = network_grid(volumes, preparation)
    return give_back(segment(take_image(volumes, grid, preparation)), grid)


def give_back(result: Segmentation, grid: NetworkGrid) -> Segmentation:
    """Brings the maps to the file's grid. Labels are taken anew from probabilities that were interpolated."""

    def one(values):
        return None if values is None else grid.give_back(values[..., None])[..., 0]

    probabilities = grid.give_back(result.probabilities)
    labels = np.argmax(probabilities, axis=-1).astype(np.uint8) if grid.resampled else one(result.labels)
    return Segmentation(labels, probabilities, one(result.realness), one(result.outline), result.outline_failed)
