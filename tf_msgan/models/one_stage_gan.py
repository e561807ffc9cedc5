"""The one-stage GAN as a Keras model: the refiner without stages 1 and 2, and a D that judges what it draws."""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, agreement
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.discriminator import build_discriminator
from tf_msgan.networks.refining_generator import build_refine_generator


@keras.saving.register_keras_serializable("tf_msgan")
class OneStageGAN(SegmentationModel):
    """G draws the tissues of an image, in one stage.

    The real thing is a scan with its labels, the fake one an unlabelled scan with what G draws of it; D scores both by
    D(x, p) (`tf_msgan.models.gan_losses.agreement`).

    What is generated are label maps of scans, whose tissues eq. 10 has D name already: AC-GAN is NSGAN here.
    """

    LEARNERS: ClassVar = {"discriminator": ("discriminator",), "refine": ("refine",)}
    PLAYERS = ("discriminator",)
    AVERAGED = ("refine", "discriminator")
    TERMS = ("d_loss", "d_labelled", "d_real", "d_fake", "d_penalty", "g_loss", "g_labelled", "g_adversarial")
    HEALTH = ("real_labelled", "real_unlabelled")
    PASSES: ClassVar = {"discriminator": (1, 1), "refine": (1, 1)}

    def builders(self):
        net = self.config.network
        return {
            "refine": functools.partial(
                build_refine_generator, self.channels, self.classes, net.refine_width, guides=0
            ),
            "discriminator": functools.partial(
                build_discriminator, self.channels, self.classes, net.discriminator_width
            ),
        }

    def draw(self, image, coarse):
        return self.refine_average(image, training=False)

    def samples(self, patch):
        return {"image": patch["image"][..., :1], "drawn": self.refine(patch["image"], training=False)}

    def label_step(self, labelled):
        drawn, loss, norm = self.learn_labels("refine", labelled)
        return self.end_step(labelled["labels"], drawn, {"g_labelled": loss}, {"refine": norm})

    def game_step(self, labelled, unlabelled):
        weight = self.config.loss
        gan = GAN_LOSSES[weight.gan]
        x, y, xu = labelled["image"], labelled["labels"], unlabelled["image"]
        count = tf.shape(x)[0]
        (share_seed,) = self.seeds(1)
        # Of an ignored voxel any tissue will do.
        truth, valid = losses.valid_one_hot(y, self.classes)
        truth += (1 - valid)[..., None]

        with tf.GradientTape(persistent=True) as tape:
            drawn = self.refine(tf.concat([x, xu], 0), training=True)
            logits, _ = self.discriminator(tf.concat([x, xu], 0), training=True)
            logits_x, logits_u = logits[:count], logits[count:]
            log_truth, log_drawn = (tf.math.log(p + losses.TINY) for p in (truth, drawn[count:]))

            # Eq. 9: D.
            labelled_term = self.naming_loss(logits_x, y)
            scores_fake = agreement(logits_u, tf.stop_gradient(log_drawn))
            real_term, fake_term = gan.discriminator(agreement(logits_x, log_truth), scores_fake)
            drawn_pairs = tf.concat([xu, tf.stop_gradient(drawn[count:])], -1)
            pairs = [tf.concat([x, truth], -1)[: tf.shape(xu)[0]], drawn_pairs]
            penalty = self.penalty(self._score_pairs, *pairs, share_seed)
            d_loss = labelled_term + weight.unlabelled * real_term + weight.fake * fake_term + penalty

            # Eq. 14: G, which learns from the labels too.
            adversarial = gan.generator(agreement(tf.stop_gradient(logits_u), log_drawn))
            segmentation = losses.segmentation_loss(drawn[:count], y)
            g_loss = segmentation + self.prediction_weight() * adversarial
            d_objective, g_objective = self.objective("discriminator", d_loss), self.objective("refine", g_loss)
        norms = {
            "discriminator": self.descend("discriminator", tape, d_objective),
            "refine": self.descend("refine", tape, g_objective),
        }
        self.clip("discriminator")
        terms = {
            **{"d_loss": d_loss, "d_labelled": labelled_term, "d_real": real_term, "d_fake": fake_term},
            **{"d_penalty": penalty, "g_loss": g_loss, "g_labelled": segmentation, "g_adversarial": adversarial},
            **losses.real_shares(labelled=logits_x, unlabelled=logits_u),
        }
        return self.end_step(y, drawn[:count], terms, norms)

    def _score_pairs(self, pairs):
        image, prediction = tf.split(pairs, [self.channels, self.classes], axis=-1)
        return agreement(self.discriminator(image)[0], tf.math.log(prediction + losses.TINY))
