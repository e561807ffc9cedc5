"""A network of SynthSeg's size, for scale: its weights cannot be had without a download."""

import keras
from keras import layers

FEATURES, LEVELS, CLASSES = 24, 5, 33


def build_synthseg_sized() -> keras.Model:
    """Five levels of 24, 48, … features, two convolutions with ELU and batch normalisation a level, 33 classes, over
    one modality (Billot et al. 2023). Takes `(batch, i, j, k, 1)`, of which each side divides by 16."""

    def convolve(x, features):
        for _ in range(2):
            x = layers.Conv3D(features, 3, padding="same", activation="elu")(x)
        return layers.BatchNormalization()(x)

    image = x = keras.Input((None, None, None, 1))
    skips = []
    for level in range(LEVELS - 1):
        x = convolve(x, FEATURES * 2**level)
        skips.append(x)
        x = layers.MaxPooling3D(2)(x)
    x = convolve(x, FEATURES * 2 ** (LEVELS - 1))
    for level in reversed(range(LEVELS - 1)):
        x = layers.Concatenate()([layers.UpSampling3D(2)(x), skips[level]])
        x = convolve(x, FEATURES * 2**level)
    return keras.Model(image, layers.Conv3D(CLASSES, 1, activation="softmax")(x))
