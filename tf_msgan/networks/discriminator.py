"""D: names the tissue of every voxel of an image, or calls it fake."""

import keras
from keras import layers

from tf_msgan.networks.blocks import (
    CropLike,
    PadToMultiple,
    average,
    convolution,
    deconvolve_and_join,
    two_convolutions,
    voxel_head,
)

LEVELS = 3


def build_discriminator(modalities: int, classes: int, width: int = 16) -> keras.Model:
    """A 3D U-Net (Çiçek et al. 2016) with LeakyReLU for ReLU and average for max pooling.

    Takes images `(batch, i, j, k, modalities)` float32. Gives a pair: `(batch, i, j, k, classes)` float32 logits of
    the real classes (the logit of "fake" is fixed at 0), and the `(batch, features)` float32 mean of the deepest
    features, for feature matching.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    x = PadToMultiple(2**LEVELS, name="pad")(image)
    skips = []
    for level in range(LEVELS):
        x = two_convolutions(x, width << level, f"encoder_{level}")
        skips.append(x)
        x = average(x, f"encoder_{level}_pool")
    x = convolution(x, width << LEVELS, "bottom_convolution", level=LEVELS)
    features = layers.GlobalAveragePooling3D(dtype="float32", name="features")(x)
    for level in reversed(range(LEVELS)):
        x = deconvolve_and_join(x, width << level, [skips[level]], f"decoder_{level}")
        x = convolution(x, width << level, f"decoder_{level}_convolution")
    x = CropLike(name="crop")(x, image)
    return keras.Model(image, [voxel_head(x, classes, "linear", "class"), features], name="discriminator")
