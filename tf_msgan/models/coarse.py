"""Stage 1, G1: draws the tissues, or outlines the brain, at half resolution."""

import keras
from keras import layers

from tf_msgan.models.blocks import CropLike, PadToMultiple, average, convolution, deconvolution, voxel_head


def build_coarse_generator(modalities: int, classes: int, width: int = 8) -> keras.Model:
    """A small U-Net of three levels.

    Takes images at half resolution, `(batch, i, j, k, modalities)` float32, z-scored.
    Gives `(batch, i, j, k, classes)` float32 probabilities that sum to 1, the background first; what follows it is the
    brain, or each tissue.
    """
    image = keras.Input((None, None, None, modalities), name="half_image")
    x = PadToMultiple(4)(image)
    skips = []
    for level in range(2):
        x = convolution(x, width << level)
        skips.append(x)
        x = average(x)
    x = convolution(convolution(x, width << 2), width << 2)
    for level in (1, 0):
        x = layers.Concatenate()([deconvolution(x, width << level), skips[level]])
        x = convolution(x, width << level)
    x = CropLike()(x, image)
    return keras.Model(image, voxel_head(x, classes, "softmax", "coarse"), name="coarse_generator")
