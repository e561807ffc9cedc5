"""Stage 2, G2: makes variants of an image, and the encoder that reads the latent vector back from a variant."""

import keras
from keras import layers, ops

from tf_msgan.data.background import BACKGROUND
from tf_msgan.models.blocks import CropLike, PadToMultiple, average, convolution, deconvolution

# How far a variant may stray from its image, in standard deviations of the brain's intensity.
MAX_CHANGE = 2.0


def build_noise_generator(modalities: int, latent: int, width: int = 8) -> keras.Model:
    """A small U-Net whose deepest features, and whose finest ones, a latent vector scales and shifts.

    Takes images `(batch, i, j, k, modalities)` float32, z-scored, and z `(batch, latent)` float32, standard normal.
    Gives x̃ like the images: within `MAX_CHANGE` of them in the brain, and equal to them outside.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    z = keras.Input((latent,), name="latent")
    x = PadToMultiple(4)(image)
    skips = []
    for level in range(2):
        x = convolution(x, width << level)
        skips.append(x)
        x = average(x)
    x = Modulate()(convolution(x, width << 2), z)
    for level in (1, 0):
        x = layers.Concatenate()([deconvolution(x, width << level), skips[level]])
        x = Modulate()(convolution(x, width << level), z)
    x = CropLike()(x, image)
    change = layers.Conv3D(modalities, 1, kernel_initializer=keras.initializers.RandomNormal(0, 0.1), name="change")(x)
    return keras.Model([image, z], ChangeBrain(MAX_CHANGE, dtype="float32")(image, change), name="noise_generator")


def build_latent_encoder(modalities: int, latent: int, width: int = 8) -> keras.Model:
    """E: takes images `(batch, i, j, k, modalities)`, gives `(batch, latent)` μ and log σ² of z, float32."""
    image = keras.Input((None, None, None, modalities), name="image")
    x = PadToMultiple(8)(image)
    for level in range(3):
        x = average(convolution(x, width << level))
    x = layers.GlobalAveragePooling3D()(x)
    mean = layers.Dense(latent, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(latent, kernel_initializer="zeros", dtype="float32", name="log_variance")(x)
    return keras.Model(image, [mean, log_variance], name="latent_encoder")


@keras.saving.register_keras_serializable("tf_msgan")
class Modulate(layers.Layer):
    """Scales and shifts each channel of `(batch, i, j, k, channel)` features by what `(batch, latent)` z says."""

    def build(self, features_shape, z_shape):
        self.projection = layers.Dense(2 * features_shape[-1], dtype=self.dtype_policy)
        self.projection.build(z_shape)

    def call(self, features, z):
        scale, shift = ops.split(self.projection(z)[:, None, None, None, :], 2, axis=-1)
        return features * (1 + scale) + shift

    def compute_output_shape(self, features_shape, z_shape):
        return features_shape


@keras.saving.register_keras_serializable("tf_msgan")
class ChangeBrain(layers.Layer):
    """Adds `limit`·tanh(change) to an image where it is not background."""

    def __init__(self, limit, **kwargs):
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, image, change):
        brain = ops.cast(ops.not_equal(image, BACKGROUND), image.dtype)
        return image + self.limit * brain * ops.tanh(change)

    def compute_output_shape(self, image_shape, change_shape):
        return image_shape

    def get_config(self):
        return {**super().get_config(), "limit": self.limit}
