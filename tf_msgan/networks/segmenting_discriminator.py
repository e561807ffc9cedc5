"""D of the standard GAN, which is its segmenter too."""

import keras
from keras import layers

from tf_msgan.networks.blocks import average, voxel_head
from tf_msgan.networks.unet import unet_features


def build_segmenting_discriminator(modalities: int, classes: int, width: int = 16) -> keras.Model:
    """The U-Net of `tf_msgan.networks.unet` with average pooling.

    Takes images `(batch, i, j, k, modalities)` float32. Gives a pair, as `build_discriminator`'s network:
    `(batch, i, j, k, classes)` float32 logits of the real classes, and the `(batch, features)` float32 mean of the
    deepest features.
    """
    image = keras.Input((None, None, None, modalities), name="image")
    x, deepest = unet_features(image, width, average)
    features = layers.GlobalAveragePooling3D(dtype="float32", name="features")(deepest)
    return keras.Model(image, [voxel_head(x, classes, "linear", "class"), features], name="segmenting_discriminator")
