"""The multi-stage GAN without one of its stages, to see what that stage is good for."""

from typing import ClassVar

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import real_loss
from tf_msgan.models.multi_stage_gan import MultiStageGAN, Report
from tf_msgan.models.segmentation_model import SegmentationModel


def _without(names, *left_out):
    return tuple(name for name in names if not name.startswith(left_out))


@keras.saving.register_keras_serializable("tf_msgan")
class WithoutOutlines(MultiStageGAN):
    """Without stage 1: G3 is told that all is brain."""

    guides = 1

    LEARNERS: ClassVar = {name: networks for name, networks in MultiStageGAN.LEARNERS.items() if name != "coarse"}
    AVERAGED = ("refine", "discriminator")
    TERMS = _without(MultiStageGAN.TERMS, "g1_")
    STAGED = False
    # As every model without stage 1.
    fuse, call = SegmentationModel.fuse, SegmentationModel.call

    def builders(self):
        return {name: build for name, build in super().builders().items() if name != "coarse"}

    def draw(self, image, coarse):
        return super().draw(image, tf.ones_like(image[..., :1]))

    def samples(self, patch):
        image = patch["image"]
        return {"image": image[..., :1], "refined": self.refine([image, tf.ones_like(image[..., :1])])}

    def segment(self, patches, y, logits_u=None):
        images, count = patches["image"], tf.shape(y)[0]
        with tf.GradientTape() as tape:
            refined = self.refine([images, tf.ones_like(images[..., :1])], training=True)
            g3_loss = labelled_term = losses.segmentation_loss(refined[:count], y)
            terms = {"g3_labelled": labelled_term}
            if logits_u is not None:
                terms["g3_opinion"] = opinion = losses.prediction_loss(logits_u, refined[count:])
                g3_loss += self.prediction_weight() * opinion
            objective = self.objective("refine", g3_loss)
        norms = {"refine": self.descend("refine", tape, objective)}
        return refined, Report(terms | {"g3_loss": g3_loss}, norms)


@keras.saving.register_keras_serializable("tf_msgan")
class WithoutVariants(MultiStageGAN):
    """Without stage 2: nothing is generated, and D learns from labelled and unlabelled scans alone."""

    LEARNERS: ClassVar = {name: networks for name, networks in MultiStageGAN.LEARNERS.items() if name != "noise"}
    IMAGE_GENERATOR = None
    TERMS = _without(MultiStageGAN.TERMS, "g2_", "d_fake", "d_penalty", "d_named")
    HEALTH = ("real_labelled", "real_unlabelled")
    PASSES: ClassVar = {**MultiStageGAN.PASSES, "discriminator": (1, 1)}

    def builders(self):
        return {name: build for name, build in super().builders().items() if name not in ("noise", "encoder")}

    def samples(self, patch):
        return {"image": patch["image"][..., :1], **self.sample_maps(patch)}

    def play(self, x, y, xu):
        count = tf.shape(x)[0]
        with tf.GradientTape() as tape:
            logits, _ = self.discriminator(tf.concat([x, xu], 0), training=True)
            logits_x, logits_u = logits[:count], logits[count:]
            labelled_term, real_term = self.naming_loss(logits_x, y), real_loss(losses.realness(logits_u))
            d_loss = labelled_term + self.config.loss.unlabelled * real_term
            objective = self.objective("discriminator", d_loss)
        norms = {"discriminator": self.descend("discriminator", tape, objective)}
        terms = {"d_loss": d_loss, "d_labelled": labelled_term, "d_unlabelled": real_term}
        return logits_u, Report(terms | losses.real_shares(labelled=logits_x, unlabelled=logits_u), norms)
