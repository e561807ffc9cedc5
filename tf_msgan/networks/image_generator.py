"""The standard GAN's generator: makes an image out of nothing but a random vector."""

import math

import keras
from keras import layers

from tf_msgan.networks.blocks import LEAK, concatenate, convolution, deconvolution
from tf_msgan.preprocessing.normalisation import CLIP

LEVELS = 3


def build_image_generator(
    modalities: int, patch: tuple[int, int, int], latent: int, width: int = 8, classes: int = 0
) -> keras.Model:
    """Three deconvolutions with a convolution each, up from an eighth of the resolution.

    Takes z `(batch, latent)` float32, standard normal, and, if there are `classes`, a one-hot label map
    `(batch, i, j, k, classes)` float32 that the image is to have. Gives images `(batch, i, j, k, modalities)` float32
    within ±`CLIP`, of `patch` voxels, which divide by 8.
    """
    z = keras.Input((latent,), name="latent")
    base = tuple(n >> LEVELS for n in patch)
    filters = width << LEVELS
    x = layers.Dense(math.prod(base) * filters, kernel_initializer="he_normal", name="project")(z)
    x = layers.LeakyReLU(LEAK, name="project_activation")(x)
    x = layers.Reshape((*base, filters), name="reshape")(x)
    for level in reversed(range(LEVELS)):
        x = deconvolution(x, width << level, f"decoder_{level}_deconvolution")
        x = convolution(x, width << level, f"decoder_{level}_convolution")
    inputs = [z]
    if classes:
        inputs.append(keras.Input((*patch, classes), name="labels"))
        x = convolution(concatenate([x, inputs[1]], "labelled_features"), width, "labelled_convolution")
    x = layers.Conv3D(modalities, 1, activation="tanh", name="scores")(x)
    image = layers.Rescaling(CLIP, dtype="float32", name="image")(x)
    return keras.Model(inputs, image, name="image_generator")
