"""Stage 2, G2: makes variants of an image."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tf_msgan.networks.blocks import CropLike, FeatureShape, PadToMultiple, average, convolution, deconvolve_and_join
from tf_msgan.preprocessing.reserved_values import BACKGROUND

# How far a variant may stray from its image, in standard deviations of the brain's intensity.
MAX_CHANGE = 2.0


def build_noise_generator(modalities: int, latent: int, width: int = 8) -> keras.Model:
    """A small U-Net whose deepest features, and whose finest ones, a latent vector scales and shifts.

    Takes images `(batch, i, j, k, modalities)` float32, z-scored, and z `(batch, latent)` float32, standard normal.
    Gives x̃ like the images: within `MAX_CHANGE` of them in the brain, and equal to them outside.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    z = keras.Input((latent,), name="latent")
    x = PadToMultiple(4, name="pad")(image)
    skips = []
    for level in range(2):
        x = convolution(x, width << level, f"encoder_{level}_convolution")
        skips.append(x)
        x = average(x, f"encoder_{level}_pool")
    x = convolution(x, width << 2, "bottom_convolution")
    x = Modulate(name="bottom_modulation")(x, z)
    for level in (1, 0):
        x = deconvolve_and_join(x, width << level, [skips[level]], f"decoder_{level}")
        x = convolution(x, width << level, f"decoder_{level}_convolution")
        x = Modulate(name=f"decoder_{level}_modulation")(x, z)
    x = CropLike(name="crop")(x, image)
    near_zero = keras.initializers.RandomNormal(mean=0, stddev=0.1)
    change = layers.Conv3D(modalities, 1, kernel_initializer=near_zero, name="change")(x)
    variant = ChangeBrain(MAX_CHANGE, dtype="float32", name="variant")(image, change)
    return keras.Model([image, z], variant, name="noise_generator")


@keras.saving.register_keras_serializable("tf_msgan")
class Modulate(layers.Layer):
    """Scales and shifts each channel of `(batch, i, j, k, channel)` features by what `(batch, latent)` z says."""

    def build(self, features_shape: FeatureShape, z_shape: tuple[int | None, int]) -> None:
        self.projection = layers.Dense(2 * features_shape[-1], dtype=self.dtype_policy, name="projection")
        self.projection.build(z_shape)

    def call(self, features: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        scale, shift = ops.split(self.projection(z)[:, None, None, None, :], 2, axis=-1)
        return features * (1 + scale) + shift

    def compute_output_shape(self, features_shape: FeatureShape, z_shape: tuple[int | None, int]) -> FeatureShape:
        return features_shape


@keras.saving.register_keras_serializable("tf_msgan")
class ChangeBrain(layers.Layer):
    """Adds `limit`·tanh(change) to an image where it is not background; both `(batch, i, j, k, modality)`."""

    def __init__(self, limit: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, image: tf.Tensor, change: tf.Tensor) -> tf.Tensor:
        brain = ops.cast(ops.not_equal(image, BACKGROUND), image.dtype)
        return image + self.limit * brain * ops.tanh(change)

    def compute_output_shape(self, image_shape: FeatureShape, change_shape: FeatureShape) -> FeatureShape:
        return image_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "limit": self.limit}
