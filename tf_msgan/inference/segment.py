"""Segments a whole scan."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tf_msgan.data.augmentation import halve, unmask
from tf_msgan.data.cohort import Scan
from tf_msgan.data.patches import Aggregator, grid_slices
from tf_msgan.models.fusion import fuse
from tf_msgan.training.msgan import MultiStageGAN

TILE = (64, 64, 64)


@dataclass(frozen=True)
class Segmentation:
    """`labels` `(i, j, k)` uint8 classes and `probabilities` `(i, j, k, K)` float32, on the scan's own grid."""

    labels: np.ndarray
    probabilities: np.ndarray


def segment(model: MultiStageGAN, scan: Scan, tile=TILE, progress=lambda done, total: None) -> Segmentation:
    """Outlines the brain once, refines overlapping tiles, averages their probabilities, fuses both maps.

    Labels are taken last: label ids are never averaged.

    Args:
        model: a trained model.
        scan: on any grid.
        tile: voxels along i, j, k; tiles overlap by half.
        progress: called with (tiles done, tiles in all).
    """
    masked = scan.masked()
    coarse = outline_volume(model, masked)
    image = unmask(masked).numpy()

    shape = scan.brain.shape
    refined = Aggregator(shape, len(model.tissues) + 1)
    tiles = grid_slices(shape, tile, tuple(max(n // 2, 1) for n in tile))
    for done, where in enumerate(tiles, start=1):
        tile_map = _refine(model, tf.constant(image[where][None]), tf.constant(coarse[where][None]))
        refined.add(where, tile_map[0].numpy())
        progress(done, len(tiles))
    probabilities = fuse(tf.constant(coarse), tf.constant(refined.average())).numpy()
    return Segmentation(np.argmax(probabilities, axis=-1).astype(np.uint8), probabilities)


def outline_volume(model: MultiStageGAN, masked: np.ndarray) -> np.ndarray:
    """Returns `(i, j, k, 1)` float32 P(brain) for a volume `(i, j, k, modality + 1)`, image × mask and mask."""
    shape = masked.shape[:3]
    even = np.pad(masked, [*((0, n % 2) for n in shape), (0, 0)], mode="edge")
    brain = model.coarse_average(unmask(halve(tf.constant(even)))[None], training=False)[0, ..., 1:].numpy()
    for axis in range(3):
        brain = np.repeat(brain, 2, axis=axis)
    return brain[: shape[0], : shape[1], : shape[2]]


# Traced once a model, and not once a scan.
@tf.function(reduce_retracing=True)
def _refine(model, image, coarse):
    return model.refine_average([image, coarse], training=False)
