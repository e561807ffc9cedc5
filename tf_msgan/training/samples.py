"""What the networks make of one and the same patch, epoch by epoch: the pictures by which a GAN's health is judged."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tf_msgan.data.pipeline import middle_patch
from tf_msgan.files import atomic_write
from tf_msgan.training.msgan import MultiStageGAN, draw_maps

# Voxels a side, of cubic voxels: wide enough to show a good part of a brain.
SIZE = 64


def sample_slices(model: MultiStageGAN, patch) -> dict[str, np.ndarray]:
    """The middle slice across the last axis of a patch, of two variants of it, and of the three maps.

    Args:
        model: its own weights, and not their averages, are shown.
        patch: `{"image", "context"}`, batches of one.

    Returns:
        `image`, `variant`, `other_variant`: `(i, j)` float32, the first modality; `coarse`: `(i, j)` P(brain);
        `refined`, `fused`: `(i, j, K)` probabilities.
    """
    image = patch["image"]
    z = tf.random.stateless_normal((2, model.config.network.latent), [0, 0])
    variants = model.noise([tf.repeat(image, 2, axis=0), z], training=False)
    maps = draw_maps(model.coarse, model.refine, patch)
    at = image.shape[3] // 2
    slices = {
        "image": image[0, :, :, at, 0],
        "variant": variants[0, :, :, at, 0],
        "other_variant": variants[1, :, :, at, 0],
        "coarse": maps["coarse"][0, :, :, at, 0],
        "refined": maps["refined"][0, :, :, at],
        "fused": maps["fused"][0, :, :, at],
    }
    return {name: np.asarray(value) for name, value in slices.items()}


class KeepSamples(keras.callbacks.Callback):
    """Writes `samples/epoch-NNNN.npz`, `sample_slices` of the first unlabelled scan, and shows them in TensorBoard."""

    def __init__(self, run: Path, source):
        super().__init__()
        self.folder = run / "samples"
        self.source = source
        self.writer = tf.summary.create_file_writer(str(run / "tensorboard" / "samples"))

    def on_train_begin(self, logs=None):
        self.patch = middle_patch(self.source, 0, self.model.config.preparation.block(SIZE, 8))

    def on_epoch_end(self, epoch, logs=None):
        slices = sample_slices(self.model, self.patch)
        with atomic_write(self.folder / f"epoch-{epoch + 1:04}.npz") as temporary:
            np.savez(temporary, **slices)
        with self.writer.as_default(step=epoch):
            for name, values in slices.items():
                tf.summary.image(f"samples/{name}", _grey(name, values)[None, ..., None])
        self.writer.flush()


def _grey(name, values):
    """Slices as grey levels 0..1: intensities of −4..4, and classes from black to white."""
    if values.ndim == 3:
        return np.argmax(values, axis=-1).astype(np.float32) / (values.shape[-1] - 1)
    return values if name == "coarse" else np.clip((values + 4) / 8, 0, 1)
