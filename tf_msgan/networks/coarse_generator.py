"""Stage 1, G1: draws the tissues, or outlines the brain, at half resolution."""

from collections.abc import Sequence

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


def build_coarse_generator(
    modalities: int, classes: int, width: int = 8, margin: tuple[int, int, int] = (0, 0, 0)
) -> keras.Model:
    """A small U-Net of three levels, which is shown `margin` voxels more at both ends of i, j and k than it draws.

    Takes images at half resolution, `(batch, i + 2·margin, j + 2·margin, k + 2·margin, modalities)` float32, z-scored.
    Gives `(batch, i, j, k, classes)` float32 probabilities that sum to 1, the background first; what follows it is the
    brain, or each tissue.
    """
    image = keras.Input((None, None, None, modalities), name="half_image")
    x = PadToMultiple(4, name="pad")(image)
    skips = []
    for level in range(2):
        x = convolution(x, width << level, f"encoder_{level}_convolution")
        skips.append(x)
        x = average(x, f"encoder_{level}_pool")
    x = two_convolutions(x, width << 2, "bottom")

    # The decoder draws no more of each level than the map depends on: all from voxel `start` on, one of which is lost
    # to the convolution that follows, unless the image ends there.
    start = _first(margin, level=2)
    x = _crop(x, start, "bottom_crop")
    for level in (1, 0):
        drawn = [2 * n for n in start]
        skip = _crop(skips[level], drawn, f"skip_{level}_crop")
        x = deconvolve_and_join(x, width << level, [skip], f"decoder_{level}")
        x = convolution(x, width << level, f"decoder_{level}_convolution")
        start = _first(margin, level) if level else list(margin)
        x = _crop(x, [n - first for n, first in zip(start, drawn, strict=True)], f"decoder_{level}_crop")
    x = CropLike(name="crop")(x, _crop(image, margin, "image_crop"))
    return keras.Model(image, voxel_head(x, classes, "softmax", "coarse"), name="coarse_generator")


def _first(margin: tuple[int, int, int], level: int) -> list[int]:
    """The first voxel of a level, along i, j and k, on which what lies within the margin depends."""
    return [max((n >> level) - 1, 0) for n in margin]


def _crop(x: keras.KerasTensor, ends: Sequence[int], name: str) -> keras.KerasTensor:
    """Cuts `ends` voxels off both ends of i, j and k."""
    return layers.Cropping3D([(n, n) for n in ends], name=name)(x) if any(ends) else x
