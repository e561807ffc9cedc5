"""The supervised baseline as a Keras model: a 3D U-Net that learns from labelled patches alone."""

import functools
from collections.abc import Mapping

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.learner import Learner, Network
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.unet import build_unet


@keras.saving.register_keras_serializable("tf_msgan")
class UNetModel(SegmentationModel):
    """The yardstick of the other three: the same data, augmentation, optimiser and moving average."""

    def make_learners(self) -> list[Learner]:
        build = functools.partial(build_unet, self.channels, self.classes, self.config.network.unet_width)
        return [Learner("unet", {"unet": Network(build, labelled=1)}, terms=("unet_loss",), averaged=True)]

    def supervised_step(self, labelled: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        x, y = labelled["image"], labelled["labels"]
        with tf.GradientTape() as tape:
            drawn = self.unet(x, training=True)
            loss = losses.segmentation_loss(drawn, y)
            objectives = self.objectives(unet=loss)
        norms = self.update(tape, objectives)
        return self.end_step(y, drawn, {"unet_loss": loss}, norms)

    def draw(self, image: tf.Tensor, coarse: tf.Tensor | None) -> tf.Tensor:
        return self.unet_average(image, training=False)

    def samples(self, patch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"image": patch["image"][..., :1], "drawn": self.unet(patch["image"], training=False)}
