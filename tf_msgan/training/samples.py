"""What the networks make of one and the same patch, epoch by epoch: the pictures by which a GAN's health is judged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_msgan.io.atomic_files import atomic_write
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.patches.scan_source import ScanSource
from tf_msgan.patches.streams import middle_patch

# Voxels a side at least, of cubic voxels: wide enough to show a good part of a brain.
SIZE = 64


def sample_slices(model: SegmentationModel, patch: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """Returns the middle slice across the last axis of a patch, and of all that the model's networks make of it
    (`SegmentationModel.samples`): `(i, j)` float32, or `(i, j, K)` probabilities."""
    maps = {name: np.asarray(value)[0] for name, value in model.samples(patch).items()}
    slices = {name: value[:, :, value.shape[2] // 2] for name, value in maps.items()}
    return {name: value[..., 0] if value.shape[-1] == 1 else value for name, value in slices.items()}


class KeepSamples(keras.callbacks.Callback):
    """Writes `samples/epoch-NNNN.npz`, `sample_slices` of the first unlabelled scan, and shows them in TensorBoard."""

    def __init__(self, run: Path, source: ScanSource) -> None:
        super().__init__()
        self.folder = run / "samples"
        self.source = source
        self.writer = tf.summary.create_file_writer(str(run / "tensorboard" / "samples"))

    def on_train_begin(self, logs: Any = None) -> None:
        config = self.model.config
        side = max(SIZE, config.training.patch)
        self.patch = middle_patch(self.source, 0, config.preparation.block(side, 8))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        slices: dict[str, Any] = sample_slices(self.model, self.patch)
        with atomic_write(self.folder / f"epoch-{epoch + 1:04}.npz") as temporary:
            np.savez(temporary, **slices)
        with self.writer.as_default(step=epoch):
            for name, values in slices.items():
                tf.summary.image(f"samples/{name}", _grey(name, values)[None, ..., None])
        self.writer.flush()


def _grey(name: str, values: np.ndarray) -> np.ndarray:
    """Slices as grey levels 0..1: intensities of −4..4, and classes from black to white."""
    if values.ndim == 3:
        return np.argmax(values, axis=-1).astype(np.float32) / (values.shape[-1] - 1)
    return values if name == "coarse" else np.clip((values + 4) / 8, 0, 1)
