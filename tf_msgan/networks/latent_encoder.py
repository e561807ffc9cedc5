"""E: reads the latent vector back from a variant of an image."""

import keras
from keras import layers

from tf_msgan.networks.blocks import PadToMultiple, average, convolution


def build_latent_encoder(modalities: int, latent: int, width: int = 8) -> keras.Model:
    """E: takes images `(batch, i, j, k, modalities)`, gives `(batch, latent)` μ and log σ² of z, float32."""
    image = keras.Input((None, None, None, modalities), name="image")
    x = PadToMultiple(8, name="pad")(image)
    for level in range(3):
        # Not `encoder_…`: one optimiser moves these and the noise generator's, and knows them by their names.
        x = convolution(x, width << level, f"latent_{level}_convolution")
        x = average(x, f"latent_{level}_pool")
    x = layers.GlobalAveragePooling3D(name="features")(x)
    mean = layers.Dense(latent, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(latent, kernel_initializer="zeros", dtype="float32", name="log_variance")(x)
    return keras.Model(image, [mean, log_variance], name="latent_encoder")
