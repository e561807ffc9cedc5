"""The supervised baseline as a Keras model: a 3D U-Net that learns from labelled patches alone."""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from tf_msgan.models.unet import build_unet
from tf_msgan.training import losses
from tf_msgan.training.segmentation_model import SegmentationModel


@keras.saving.register_keras_serializable("tf_msgan")
class UNetModel(SegmentationModel):
    """The yardstick of the other three: the same data, augmentation, optimiser and moving average."""

    LEARNERS: ClassVar = {"unet": ("unet",)}
    AVERAGED = ("unet",)
    TERMS = ("unet_loss",)
    PASSES: ClassVar = {"unet": (1, 0)}
    JUDGES = False

    def builders(self):
        return {"unet": functools.partial(build_unet, self.modalities, self.classes, self.config.network.unet_width)}

    def draw(self, image, outline):
        return self.unet_average(image, training=False)

    def samples(self, patch):
        return {"image": patch["image"][..., :1], "drawn": self.unet(patch["image"], training=False)}

    def label_step(self, labelled):
        x, y = labelled["image"], labelled["labels"]
        with tf.GradientTape() as tape:
            drawn = self.unet(x, training=True)
            loss = losses.segmentation_loss(drawn, y)
            objective = self.objective("unet", loss)
        norm = self.descend("unet", tape, objective)
        return self.end_step(y, drawn, {"unet_loss": loss}, {"unet": norm})
