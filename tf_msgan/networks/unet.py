"""A plain 3D U-Net of the refiner's size: the supervised baseline."""

from collections.abc import Callable

import keras
from keras import layers

from tf_msgan.networks.blocks import CropLike, PadToMultiple, deconvolve_and_join, two_convolutions, voxel_head

# Channels of the levels, in widths: with these the U-Net has as many parameters as the refiner, to 1 %.
FILTERS = (1, 2, 4, 4, 7)


def build_unet(modalities: int, classes: int, width: int = 16) -> keras.Model:
    """Two convolutions a level, max pooling, one skip connection a level (Çiçek et al. 2016), without normalisation as
    the other networks are.

    Takes images `(batch, i, j, k, modalities)` float32. Gives `(batch, i, j, k, classes)` float32 probabilities.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    x, _ = unet_features(image, width, _max)
    return keras.Model(image, voxel_head(x, classes, "softmax", "tissue"), name="unet")


def unet_features(
    image: keras.KerasTensor, width: int, pool: Callable[[keras.KerasTensor, str], keras.KerasTensor]
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the finest and the deepest features of an image `(batch, i, j, k, modalities)`; `pool` halves the
    resolution, in a layer of the name that it is given."""
    *upper, deepest = (factor * width for factor in FILTERS)
    x = PadToMultiple(2 ** (len(FILTERS) - 1), name="pad")(image)
    skips = []
    for level, filters in enumerate(upper):
        x = two_convolutions(x, filters, f"encoder_{level}", level=level)
        skips.append(x)
        x = pool(x, f"encoder_{level}_pool")
    x = features = two_convolutions(x, deepest, "bottom", level=len(skips))
    for level, filters in reversed(list(enumerate(upper))):
        x = deconvolve_and_join(x, filters, [skips[level]], f"decoder_{level}")
        x = two_convolutions(x, filters, f"decoder_{level}", level=level)
    return CropLike(name="crop")(x, image), features


def _max(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.MaxPooling3D(2, dtype="float32", name=name)(x)
