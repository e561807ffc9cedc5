"""The supervised baseline as a Keras model: a 3D U-Net that learns from labelled patches alone."""

import functools
from typing import ClassVar

import keras

from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.unet import build_unet


@keras.saving.register_keras_serializable("tf_msgan")
class UNetModel(SegmentationModel):
    """The yardstick of the other three: the same data, augmentation, optimiser and moving average."""

    LEARNERS: ClassVar = {"unet": ("unet",)}
    AVERAGED = ("unet",)
    TERMS = ("unet_loss",)
    PASSES: ClassVar = {"unet": (1, 0)}
    JUDGES = False

    def builders(self):
        return {"unet": functools.partial(build_unet, self.channels, self.classes, self.config.network.unet_width)}

    def draw(self, image, coarse):
        return self.unet_average(image, training=False)

    def samples(self, patch):
        return {"image": patch["image"][..., :1], "drawn": self.unet(patch["image"], training=False)}

    def label_step(self, labelled):
        drawn, loss, norm = self.learn_labels("unet", labelled)
        return self.end_step(labelled["labels"], drawn, {"unet_loss": loss}, {"unet": norm})
