"""Where patches are cut from: scans cropped to the brain, held in memory here, on disk in `tf_msgan.data.shards`.

A source is called in a tf.data graph with the number of a scan, and gives it as a `CroppedScan` of tensors.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_msgan.data.scan import Scan


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
    foreground = np.argwhere(scan.foreground[box]).astype(np.int16)
    labels = None if scan.labels is None else np.ascontiguousarray(scan.labels[box])
    volume = np.ascontiguousarray(scan.masked[box])
    return CroppedScan(volume, labels, foreground, np.array(scan.spacing, np.float32))


class HeldScans:
    """Scans in memory; an iterable that reads them one by one is never held whole.

    Attributes:
        shapes: `(i, j, k)` of each cropped scan.
        modalities: how many.
    """

    def __init__(self, scans: Iterable[Scan]):
        # tf.data runs on the processor, also where TensorFlow would put tensors on a GPU.
        with tf.device("CPU:0"):
            tensors = [[tf.constant(array) for array in crop_scan(scan) if array is not None] for scan in scans]
            # One list for each kind of array: a graph that branches over scans would hold all of them once for each.
            self._lists = [(_tensor_list(kind), kind[0].dtype) for kind in zip(*tensors, strict=True)]
        self.shapes = [tuple(volume.shape[:3]) for volume, *_ in tensors]
        self.modalities = tensors[0][0].shape[-1] - 1

    def __call__(self, number) -> CroppedScan:
        # Eagerly, too: else the whole list might be copied to a GPU.
        with tf.device("CPU:0"):
            volume, *labels, foreground, spacing = (
                tf.raw_ops.TensorListGetItem(input_handle=held, index=number, element_shape=-1, element_dtype=dtype)
                for held, dtype in self._lists
            )
        return CroppedScan(
            tf.ensure_shape(volume, [None, None, None, self.modalities + 1]),
            tf.ensure_shape(labels[0], [None, None, None]) if labels else None,
            tf.ensure_shape(foreground, [None, 3]),
            tf.ensure_shape(spacing, [3]),
        )


def _tensor_list(tensors):
    """Tensors of one dtype and of any shapes, in one that a graph takes them from without a copy."""
    held = tf.raw_ops.TensorListReserve(element_shape=-1, num_elements=len(tensors), element_dtype=tensors[0].dtype)
    for number, tensor in enumerate(tensors):
        held = tf.raw_ops.TensorListSetItem(input_handle=held, index=number, item=tensor)
    return held
