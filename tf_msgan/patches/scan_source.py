"""Where patches are cut from: scans cropped to the brain, in memory or mapped from files.

A source is called in a tf.data graph with the number of a scan, and gives it as a `CroppedScan` of tensors.
"""

from collections.abc import Iterable, Sequence

import tensorflow as tf

from tf_msgan.io.volumes import Shape
from tf_msgan.patches.cropped_scan import CroppedScan, crop_scan
from tf_msgan.preprocessing.scan import Scan


class ScanSource:
    """Cropped scans, all with labels or all without.

    Args:
        scans: one or more; an iterable that makes them one by one is never held whole. Arrays are copied, tensors not.

    Attributes:
        shapes: `(i, j, k)` of each cropped scan.
        modalities: how many.
    """

    def __init__(self, scans: Iterable[CroppedScan]) -> None:
        # tf.data runs on the processor, also where TensorFlow would put tensors on a GPU.
        with tf.device("CPU:0"):
            tensors = [[tf.convert_to_tensor(part) for part in scan if part is not None] for scan in scans]
            # One list for each kind of array: a graph that branches over scans would hold all of them once for each.
            self._lists = [(_tensor_list(kind), kind[0].dtype) for kind in zip(*tensors, strict=True)]
        self.shapes: list[Shape] = [tuple(volume.shape[:3]) for volume, *_ in tensors]
        self.modalities: int = tensors[0][0].shape[-1] - 1

    def __call__(self, number: tf.Tensor) -> CroppedScan:
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


def hold_scans(scans: Iterable[Scan]) -> ScanSource:
    """Returns a source of scans that are held in memory, cropped."""
    return ScanSource(crop_scan(scan) for scan in scans)


def _tensor_list(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Tensors of one dtype and of any shapes, in one that a graph takes them from without a copy."""
    held = tf.raw_ops.TensorListReserve(element_shape=-1, num_elements=len(tensors), element_dtype=tensors[0].dtype)
    for number, tensor in enumerate(tensors):
        held = tf.raw_ops.TensorListSetItem(input_handle=held, index=number, item=tensor)
    return held
