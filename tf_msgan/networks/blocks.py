"""Layers that the networks share. Tensors are `(batch, i, j, k, channel)`.

Every layer has a name, so that a weight is known by its path, whatever else the process has built. TensorFlow adds
gradients up in the order of their names: another name may change how a training rounds.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from tf_msgan.preprocessing.reserved_values import BACKGROUND

# The sizes of `(batch, i, j, k, channel)`; None where any will do.
FeatureShape = tuple[int | None, int | None, int | None, int | None, int]

# LeakyReLU's slope below 0.
LEAK = 0.1

# Pyramid levels from here on are computed in float32 under every policy. TensorFlow 2.21's bfloat16 gradient of a 3³
# kernel over 2³ voxels is at times not finite on a CPU (docs/decisions.md), and so deep there is little to gain.
FLOAT32_LEVEL = 3


def convolution(x: keras.KerasTensor, filters: int, name: str, kernel: int = 3, level: int = 0) -> keras.KerasTensor:
    """Convolution, then LeakyReLU. There is no normalisation: over a small patch it throws away the absolute intensity
    that z-scoring gave. `level` is that of `x` in the pyramid, 0 the finest."""
    dtype = "float32" if level >= FLOAT32_LEVEL else None
    x = layers.Conv3D(filters, kernel, padding="same", kernel_initializer="he_normal", dtype=dtype, name=name)(x)
    return layers.LeakyReLU(LEAK, name=f"{name}_activation")(x)


def two_convolutions(x: keras.KerasTensor, filters: int, name: str, level: int = 0) -> keras.KerasTensor:
    """A block of two, `NAME_convolution_0` and `NAME_convolution_1`."""
    for n in range(2):
        x = convolution(x, filters, f"{name}_convolution_{n}", level=level)
    return x


def deconvolution(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Doubles the resolution."""
    x = layers.Conv3DTranspose(filters, 2, strides=2, kernel_initializer="he_normal", name=name)(x)
    return layers.LeakyReLU(LEAK, name=f"{name}_activation")(x)


def average(x: keras.KerasTensor, name: str, factor: int = 2) -> keras.KerasTensor:
    """Averages blocks of `factor`³ voxels, in float32: TensorFlow has no float16 average pooling on a CPU."""
    return layers.AveragePooling3D(factor, dtype="float32", name=name)(x)


def concatenate(tensors: Sequence[keras.KerasTensor], name: str) -> keras.KerasTensor:
    """Joins the channels."""
    return layers.Concatenate(name=name)(tensors)


def deconvolve_and_join(
    x: keras.KerasTensor, filters: int, skips: Sequence[keras.KerasTensor], name: str
) -> keras.KerasTensor:
    """Doubles the resolution, and joins the channels of the skip connections, which have it already."""
    x = deconvolution(x, filters, f"{name}_deconvolution")
    return concatenate([x, *skips], f"{name}_concatenate")


def resample(x: keras.KerasTensor, level: int, target: int, name: str) -> keras.KerasTensor:
    """Brings features of pyramid level `level` (0 is the finest) to level `target`."""
    if target > level:
        return average(x, name, factor=2 ** (target - level))
    if target < level:
        return layers.UpSampling3D(2 ** (level - target), name=name)(x)
    return x


def upsample(x: tf.Tensor, factor: int) -> tf.Tensor:
    """Repeats every voxel `factor` times along i, j and k."""
    for axis in (1, 2, 3):
        x = ops.repeat(x, factor, axis=axis)
    return x


def voxel_head(x: keras.KerasTensor, channels: int, activation: str, name: str) -> keras.KerasTensor:
    """A 1×1×1 convolution whose output is float32 under every precision policy."""
    x = layers.Conv3D(channels, 1, name=f"{name}_logits")(x)
    return layers.Activation(activation, dtype="float32", name=f"{name}_output")(x)


@keras.saving.register_keras_serializable("tf_msgan")
class PadToMultiple(layers.Layer):
    """Pads the far ends of the three spatial axes until each divides by `multiple`.

    Takes and gives `(batch, i, j, k, channel)`. `value` fills the padding: the background for images, 0 for maps.
    """

    def __init__(self, multiple: int, value: float = BACKGROUND, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple
        self.value = value

    def call(self, x: tf.Tensor) -> tf.Tensor:
        extra = [-size % self.multiple for size in ops.shape(x)[1:4]]
        if all(isinstance(n, int) and n == 0 for n in extra):
            return x
        return ops.pad(x, [[0, 0], *[[0, n] for n in extra], [0, 0]], constant_values=self.value)

    def compute_output_shape(self, input_shape: FeatureShape) -> FeatureShape:
        batch, *space, channels = input_shape
        i, j, k = (n if n is None else n + -n % self.multiple for n in space)
        return (batch, i, j, k, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple, "value": self.value}


@keras.saving.register_keras_serializable("tf_msgan")
class CropLike(layers.Layer):
    """Cuts the far ends of the first tensor's spatial axes to those of the second."""

    def call(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        # A cut of all would be copied, and so would its gradient.
        if x.shape[1:4] == like.shape[1:4] and None not in x.shape[1:4]:
            return x
        i, j, k = ops.shape(like)[1:4]
        return x[:, :i, :j, :k, :]

    def compute_output_shape(self, x_shape: FeatureShape, like_shape: FeatureShape) -> FeatureShape:
        return (x_shape[0], *like_shape[1:4], x_shape[-1])
