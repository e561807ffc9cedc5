"""Stage 3, G3: draws the tissues, guided by the coarse map."""

import keras
from keras import layers

from tf_msgan.models.blocks import CropLike, PadToMultiple, average, convolution, deconvolution, resample, voxel_head

LEVELS = 4


def build_refine_generator(
    modalities: int, classes: int, width: int = 16, skip_width: int = 4, guides: int = 1
) -> keras.Model:
    """Four encoder blocks, of two convolutions each, and four decoder blocks of one, with dense skip connections.

    A decoder level takes the features of its own encoder level whole, and those of every other encoder level squeezed
    to `skip_width` channels and resampled.

    Takes images `(batch, i, j, k, modalities)` float32, z-scored, and, unless `guides` is 0, coarse maps `(batch, i, j,
    k, guides)` float32, P(brain) or that of each tissue, in 0..1. Gives `(batch, i, j, k, classes)` float32
    probabilities.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    inputs, x = image, PadToMultiple(2**LEVELS)(image)
    if guides:
        coarse = keras.Input((None, None, None, guides), name="coarse_map")
        inputs = [image, coarse]
        x = layers.Concatenate()([x, PadToMultiple(2**LEVELS, value=0.0)(coarse)])
    filters = [width << min(level, 2) for level in range(LEVELS + 1)]

    encoded = []
    for level in range(LEVELS):
        features = convolution(convolution(x, filters[level], level=level), filters[level], level=level)
        x = layers.Concatenate()([x, features])
        encoded.append(x)
        x = average(x)
    x = convolution(x, filters[LEVELS], level=LEVELS)
    squeezed = [convolution(features, skip_width, kernel=1) for features in encoded]

    for level in reversed(range(LEVELS)):
        others = [resample(squeezed[e], e, level) for e in range(LEVELS) if e != level]
        x = layers.Concatenate()([deconvolution(x, filters[level]), encoded[level], *others])
        x = convolution(x, filters[level], level=level)
    x = CropLike()(x, image)
    return keras.Model(inputs, voxel_head(x, classes, "softmax", "tissue"), name="refine_generator")
