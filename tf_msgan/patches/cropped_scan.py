"""What patches are cut from."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_msgan.preprocessing.scan import Scan


class CroppedScan(NamedTuple):
    """A scan in the smallest box that holds its mask and its labels.

    Attributes:
        volume: `(i, j, k, modality + 1)` float32, the image times the mask, and the mask.
        labels: `(i, j, k)` uint8 classes, or None.
        foreground: `(voxels, 3)` int16 indices of the voxels that patches are centred on.
        spacing: `(3,)` float32, mm.
    """

    volume: np.ndarray | tf.Tensor
    labels: np.ndarray | tf.Tensor | None
    foreground: np.ndarray | tf.Tensor
    spacing: np.ndarray | tf.Tensor


def crop_scan(scan: Scan) -> CroppedScan:
    used = scan.mask if scan.labels is None else scan.mask | (scan.labels > 0)
    along = [np.flatnonzero(used.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(at[0], at[-1] + 1) for at in along)
    foreground = np.argwhere(scan.foreground[box]).astype(np.int16, order="C")
    labels = None if scan.labels is None else np.ascontiguousarray(scan.labels[box])
    volume = np.ascontiguousarray(scan.masked[box])
    return CroppedScan(volume, labels, foreground, np.array(scan.spacing, np.float32))
