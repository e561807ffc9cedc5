"""A plain 3D U-Net of the refiner's size: the yardstick of speed."""

import keras
from keras import layers

from tf_msgan.models.blocks import CropLike, PadToMultiple, convolution, deconvolution, voxel_head

# With these it has as many parameters as the refiner, to 1 %.
FILTERS = (16, 32, 64, 64, 112)


def build_unet(modalities: int, classes: int) -> keras.Model:
    """Two convolutions a level, max pooling, one skip connection a level (Çiçek et al. 2016), without normalisation as
    the other networks are.

    Takes images `(batch, i, j, k, modalities)` float32. Gives `(batch, i, j, k, classes)` float32 probabilities.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    x = PadToMultiple(2 ** (len(FILTERS) - 1))(image)
    skips = []
    for level, filters in enumerate(FILTERS[:-1]):
        x = convolution(convolution(x, filters, level=level), filters, level=level)
        skips.append(x)
        x = layers.MaxPooling3D(2, dtype="float32")(x)
    depth = len(skips)
    x = convolution(convolution(x, FILTERS[-1], level=depth), FILTERS[-1], level=depth)
    for level in reversed(range(depth)):
        x = layers.Concatenate()([deconvolution(x, FILTERS[level]), skips[level]])
        x = convolution(convolution(x, FILTERS[level], level=level), FILTERS[level], level=level)
    x = CropLike()(x, image)
    return keras.Model(image, voxel_head(x, classes, "softmax", "tissue"), name="unet")
