"""Segments scans as their files have them, whatever grid the networks see."""

import numpy as np

from tf_msgan.inference.scan_segmenter import ScanSegmenter
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.preprocessing.raw_image import network_grid, take_image


def segment_volumes(volumes: list[Volume | None], segmenter: ScanSegmenter) -> TissueMaps:
    """Segments the modalities of one scan, `read_images`'s volumes. The maps lie on the grid of their files."""
    grid = network_grid(volumes, segmenter.preparation)
    return give_back(segmenter(take_image(volumes, grid, segmenter.preparation)), grid)


def give_back(result: TissueMaps, grid: NetworkGrid) -> TissueMaps:
    """Brings the maps to the file's grid. Labels are taken anew from probabilities that were interpolated."""

    def give_back_one(values: np.ndarray) -> np.ndarray:
        """Brings a map `(i, j, k)` to the file's grid."""
        return grid.give_back(values[..., None])[..., 0]

    probabilities = grid.give_back(result.probabilities)
    labels = np.argmax(probabilities, axis=-1).astype(np.uint8) if grid.resampled else give_back_one(result.labels)
    return TissueMaps(
        labels=labels,
        probabilities=probabilities,
        p_real=None if result.p_real is None else give_back_one(result.p_real),
        outline=None if result.outline is None else give_back_one(result.outline),
        outline_failed=result.outline_failed,
    )
