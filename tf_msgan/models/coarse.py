"""Stage 1, G1: draws the tissues, or outlines the brain, at half resolution."""

import keras
from keras import layers

from tf_msgan.models.blocks import CropLike, PadToMultiple, average, convolution, deconvolution, voxel_head


def build_coarse_generator(modalities: int, classes: int, width: int = 8, margin=(0, 0, 0)) -> keras.Model:
    """A small U-Net of three levels, which is shown `margin` voxels more at both ends of i, j and k than it draws.

    Takes images at half resolution, `(batch, i + 2·margin, j + 2·margin, k + 2·margin, modalities)` float32, z-scored.
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

    # The decoder draws no more of each level than the map depends on: all from voxel `start` on, one of which is lost
    # to the convolution that follows, unless the image ends there.
    start = _first(margin, 2)
    x = _crop(x, start)
    for level in (1, 0):
        drawn = [2 * n for n in start]
        x = layers.Concatenate()([deconvolution(x, width << level), _crop(skips[level], drawn)])
        x = convolution(x, width << level)
        start = _first(margin, level) if level else margin
        x = _crop(x, [n - first for n, first in zip(start, drawn, strict=True)])
    x = CropLike()(x, _crop(image, margin))
    return keras.Model(image, voxel_head(x, classes, "softmax", "coarse"), name="coarse_generator")


def _first(margin, level):
    """The first voxel of a level that what lies within the margin depends on."""
    return [max((n >> level) - 1, 0) for n in margin]


def _crop(x, ends):
    """Cuts so many voxels off both ends of i, j and k."""
    return layers.Cropping3D([(n, n) for n in ends])(x) if any(ends) else x
