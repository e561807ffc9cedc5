"""The standard GAN's generator: makes an image out of nothing but a random vector."""

import math

import keras
from keras import layers

from tf_msgan.data.normalise import CLIP
from tf_msgan.models.blocks import convolution, deconvolution

LEVELS = 3


def build_image_generator(modalities: int, patch, latent: int, width: int = 8, classes: int = 0) -> keras.Model:
    """Three deconvolutions with a convolution each, up from an eighth of the resolution.

    Takes z `(batch, latent)` float32, standard normal, and, if there are `classes`, a one-hot label map
    `(batch, i, j, k, classes)` float32 that the image is to have. Gives images `(batch, i, j, k, modalities)` float32
    within ±`CLIP`, of `patch` voxels, which divide by 8.
    """
    z = keras.Input((latent,), name="latent")
    base = tuple(n >> LEVELS for n in patch)
    filters = width << LEVELS
    x = layers.LeakyReLU(0.1)(layers.Dense(math.prod(base) * filters, kernel_initializer="he_normal")(z))
    x = layers.Reshape((*base, filters))(x)
    for level in reversed(range(LEVELS)):
        x = convolution(deconvolution(x, width << level), width << level)
    inputs = [z]
    if classes:
        inputs.append(keras.Input((*patch, classes), name="labels"))
        x = convolution(layers.Concatenate()([x, inputs[1]]), width)
    x = layers.Conv3D(modalities, 1, activation="tanh")(x)
    image = layers.Rescaling(CLIP, dtype="float32")(x)
    return keras.Model(inputs, image, name="image_generator")
