"""D: names the tissue of every voxel of an image, or calls it fake."""

import keras
from keras import layers

from tf_msgan.models.blocks import CropLike, PadToMultiple, average, convolution, deconvolution, voxel_head

LEVELS = 3


def build_discriminator(modalities: int, classes: int, width: int = 16) -> keras.Model:
    """A 3D U-Net (Çiçek et al. 2016) with LeakyReLU for ReLU and average for max pooling.

    Takes images `(batch, i, j, k, modalities)` float32. Gives a pair: `(batch, i, j, k, classes)` float32 logits of
    the real classes (the logit of "fake" is fixed at 0), and the `(batch, features)` float32 mean of the deepest
    features, for feature matching.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    x = PadToMultiple(2**LEVELS)(image)
    skips = []
    for level in range(LEVELS):
        x = convolution(convolution(x, width << level), width << level)
        skips.append(x)
        x = average(x)
    x = convolution(x, width << LEVELS, level=LEVELS)
    features = layers.GlobalAveragePooling3D(dtype="float32", name="features")(x)
    for level in reversed(range(LEVELS)):
        x = layers.Concatenate()([deconvolution(x, width << level), skips[level]])
        x = convolution(x, width << level)
    x = CropLike()(x, image)
    return keras.Model(image, [voxel_head(x, classes, "linear", "class"), features], name="discriminator")
