"""Stage 3, G3: draws the tissues, guided by the coarse map."""

import keras

from tf_msgan.networks.blocks import (
    CropLike,
    PadToMultiple,
    average,
    concatenate,
    convolution,
    deconvolve_and_join,
    resample,
    two_convolutions,
    voxel_head,
)

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
    inputs, x = image, PadToMultiple(2**LEVELS, name="pad")(image)
    if guides:
        coarse = keras.Input((None, None, None, guides), name="coarse_map")
        inputs = [image, coarse]
        padded = PadToMultiple(2**LEVELS, value=0.0, name="pad_coarse_map")(coarse)
        x = concatenate([x, padded], "guided_image")
    filters = [width << min(level, 2) for level in range(LEVELS + 1)]

    encoded = []
    for level in range(LEVELS):
        features = two_convolutions(x, filters[level], f"encoder_{level}", level=level)
        x = concatenate([x, features], f"encoder_{level}_concatenate")
        encoded.append(x)
        x = average(x, f"encoder_{level}_pool")
    x = convolution(x, filters[LEVELS], "bottom_convolution", level=LEVELS)
    squeezed = [
        convolution(features, skip_width, f"skip_{level}_squeeze", kernel=1) for level, features in enumerate(encoded)
    ]

    for block, level in enumerate(reversed(range(LEVELS))):
        others = [
            resample(squeezed[e], e, target=level, name=f"skip_{e}_block_{block}") for e in range(LEVELS) if e != level
        ]
        x = deconvolve_and_join(x, filters[level], [encoded[level], *others], f"decoder_{level}")
        x = convolution(x, filters[level], f"decoder_{level}_convolution", level=level)
    x = CropLike(name="crop")(x, image)
    return keras.Model(inputs, voxel_head(x, classes, "softmax", "tissue"), name="refine_generator")
