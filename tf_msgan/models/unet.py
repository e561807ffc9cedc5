"""A plain 3D U-Net of the refiner's size: the supervised baseline, and the segmenter of the standard GAN."""

import keras
from keras import layers

from tf_msgan.models.blocks import CropLike, PadToMultiple, average, convolution, deconvolution, voxel_head

# Channels of the levels, times the width. So it has as many parameters as the refiner, to 1 %.
FILTERS = (1, 2, 4, 4, 7)


def build_unet(modalities: int, classes: int, width: int = 16) -> keras.Model:
    """Two convolutions a level, max pooling, one skip connection a level (Çiçek et al. 2016), without normalisation as
    the other networks are.

    Takes images `(batch, i, j, k, modalities)` float32. Gives `(batch, i, j, k, classes)` float32 probabilities.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    x, _ = _unet(image, width, layers.MaxPooling3D(2, dtype="float32"))
    return keras.Model(image, voxel_head(x, classes, "softmax", "tissue"), name="unet")


def build_segmenting_discriminator(modalities: int, classes: int, width: int = 16) -> keras.Model:
    """The same with average pooling, as a discriminator: takes and gives what `build_discriminator`'s does."""
    image = keras.Input((None, None, None, modalities), name="image")
    x, deepest = _unet(image, width, average)
    features = layers.GlobalAveragePooling3D(dtype="float32", name="features")(deepest)
    return keras.Model(image, [voxel_head(x, classes, "linear", "class"), features], name="segmenting_discriminator")


def _unet(image, width, pool):
    """The finest and the deepest features of an image."""
    *upper, deepest = (factor * width for factor in FILTERS)
    x = PadToMultiple(2 ** (len(FILTERS) - 1))(image)
    skips = []
    for level, filters in enumerate(upper):
        x = convolution(convolution(x, filters, level=level), filters, level=level)
        skips.append(x)
        x = pool(x)
    depth = len(skips)
    x = features = convolution(convolution(x, deepest, level=depth), deepest, level=depth)
    for level, filters in reversed(list(enumerate(upper))):
        x = layers.Concatenate()([deconvolution(x, filters), skips[level]])
        x = convolution(convolution(x, filters, level=level), filters, level=level)
    return CropLike()(x, image), features
