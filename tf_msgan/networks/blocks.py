"""Layers that the networks share. Tensors are `(batch, i, j, k, channel)`.

Every layer has a name, so that a weight is known by its path, whatever else the process has built. TensorFlow adds
gradients up in the order of their names: another name may change how a training rounds.
"""

import keras
from keras import layers, ops

from tf_msgan.preprocessing.reserved_values import BACKGROUND

LEAK = 0.1


# Pyramid levels from here on are computed in float32 under every policy. TensorFlow 2.21's bfloat16 gradient of a 3³
# kernel over 2³ voxels is at times not finite on a CPU (docs/decisions.md), and so deep there is little to gain.
FLOAT32_LEVEL = 3


def convolution(x, filters, name, kernel=3, level=0):
    """Convolution, then LeakyReLU. There is no normalisation: over a small patch it throws away the absolute intensity
    that z-scoring gave. `level` is that of `x` in the pyramid, 0 the finest."""
    dtype = "float32" if level >= FLOAT32_LEVEL else None
    x = layers.Conv3D(filters, kernel, padding="same", kernel_initializer="he_normal", dtype=dtype, name=name)(x)
    return layers.LeakyReLU(LEAK, name=f"{name}_activation")(x)


def two_convolutions(x, filters, name, level=0):
    """A block of two, `NAME_convolution_0` and `NAME_convolution_1`."""
    for n in range(2):
        x = convolution(x, filters, f"{name}_convolution_{n}", level=level)
    return x


def deconvolution(x, filters, name):
    """Doubles the resolution."""
    x = layers.Conv3DTranspose(filters, 2, strides=2, kernel_initializer="he_normal", name=name)(x)
    return layers.LeakyReLU(LEAK, name=f"{name}_activation")(x)


def average(x, name, factor=2):
    """Averages blocks of `factor`³ voxels, in float32: TensorFlow has no float16 average pooling on a CPU."""
    return layers.AveragePooling3D(factor, dtype="float32", name=name)(x)


def concatenate(tensors, name):
    """Joins the channels."""
    return layers.Concatenate(name=name)(tensors)


def deconvolve_and_join(x, filters, skips, name):
    """Doubles the resolution, and joins the channels of the skip connections, which have it already."""
    x = deconvolution(x, filters, f"{name}_deconvolution")
    return concatenate([x, *skips], f"{name}_concatenate")


def resample(x, level, target, name):
    """Brings features of pyramid level `level` (0 is the finest) to level `target`."""
    if target > level:
        return average(x, name, 2 ** (target - level))
    if target < level:
        return layers.UpSampling3D(2 ** (level - target), name=name)(x)
    return x


def upsample(x, factor):
    """Repeats every voxel `factor` times along i, j and k."""
    for axis in (1, 2, 3):
        x = ops.repeat(x, factor, axis=axis)
    return x


def voxel_head(x, channels, activation, name):
    """A 1×1×1 convolution whose output is float32 under every precision policy."""
    x = layers.Conv3D(channels, 1, name=f"{name}_logits")(x)
    return layers.Activation(activation, dtype="float32", name=f"{name}_output")(x)


@keras.saving.register_keras_serializable("tf_msgan")
class PadToMultiple(layers.Layer):
    """Pads the far ends of the three spatial axes until each divides by `multiple`.

    Takes and gives `(batch, i, j, k, channel)`. `value` fills the padding: the background for images, 0 for maps.
    """

    def __init__(self, multiple, value=BACKGROUND, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple
        self.value = value

    def call(self, x):
        extra = [-size % self.multiple for size in ops.shape(x)[1:4]]
        if all(isinstance(n, int) and n == 0 for n in extra):
            return x
        return ops.pad(x, [[0, 0], *[[0, n] for n in extra], [0, 0]], constant_values=self.value)

    def compute_output_shape(self, input_shape):
        batch, *space, channels = input_shape
        return (batch, *[n if n is None else n + -n % self.multiple for n in space], channels)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple, "value": self.value}


@keras.saving.register_keras_serializable("tf_msgan")
class CropLike(layers.Layer):
    """Cuts the far ends of the first tensor's spatial axes to those of the second."""

    def call(self, x, like):
        if x.shape[1:4] == like.shape[1:4] and None not in x.shape[1:4]:
            return x  # a cut of all would be copied, and so would its gradient
        i, j, k = ops.shape(like)[1:4]
        return x[:, :i, :j, :k, :]

    def compute_output_shape(self, x_shape, like_shape):
        return (x_shape[0], *like_shape[1:4], x_shape[-1])
