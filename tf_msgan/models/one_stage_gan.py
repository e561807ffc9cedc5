"""The one-stage GAN as a Keras model: the refiner without stages 1 and 2, and a D that judges what it draws."""

import functools
from collections.abc import Mapping

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, agreement
from tf_msgan.models.learner import Learner, Network
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

    def make_learners(self) -> list[Learner]:
        net, modalities, classes = self.config.network, self.channels, self.classes
        build_g = functools.partial(build_refine_generator, modalities, classes, net.refine_width, guides=0)
        build_d = functools.partial(build_discriminator, modalities, classes, net.discriminator_width)
        refine = Learner(
            name="refine",
            networks={"refine": Network(build_g, labelled=1, unlabelled=1)},
            terms=("g_loss", "g_labelled", "g_adversarial"),
            averaged=True,
        )
        discriminate = Learner(
            name="discriminator",
            networks={"discriminator": Network(build_d, labelled=1, unlabelled=1)},
            terms=("d_loss", "d_labelled", "d_real", "d_fake", "d_penalty"),
            diagnostics=("real_labelled", "real_unlabelled"),
            adversarial=True,
            averaged=True,
        )
        return [discriminate, refine]

    def supervised_step(self, labelled: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """G learns from labelled patches."""
        x, y = labelled["image"], labelled["labels"]
        with tf.GradientTape() as tape:
            drawn = self.refine(x, training=True)
            loss = losses.segmentation_loss(drawn, y)
            objectives = self.objectives(refine=loss)
        norms = self.update(tape, objectives)
        return self.end_step(y, drawn, {"g_labelled": loss}, norms)

    def adversarial_step(
        self, labelled: Mapping[str, tf.Tensor], unlabelled: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """D and G learn from each other, and both from labelled patches."""
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

            # D, eq. 9: labels are real, what G draws is fake.
            d_labelled = self.naming_loss(logits_x, y)
            scores_fake = agreement(logits_u, tf.stop_gradient(log_drawn))
            d_real, d_fake = gan.discriminator(agreement(logits_x, log_truth), scores_fake)
            real_pairs = tf.concat([x, truth], -1)[: tf.shape(xu)[0]]
            fake_pairs = tf.concat([xu, tf.stop_gradient(drawn[count:])], -1)
            d_penalty = self.penalty(self._score_pairs, real_pairs, fake_pairs, share_seed)
            d_loss = d_labelled + weight.unlabelled * d_real + weight.fake * d_fake + d_penalty

            # G, eq. 14: D takes what it draws for labels; and it learns from the labels too.
            g_adversarial = gan.generator(agreement(tf.stop_gradient(logits_u), log_drawn))
            g_labelled = losses.segmentation_loss(drawn[:count], y)
            g_loss = g_labelled + self.prediction_weight() * g_adversarial

            objectives = self.objectives(discriminator=d_loss, refine=g_loss)
        norms = self.update(tape, objectives)
        self.clip("discriminator")
        terms = {
            "d_loss": d_loss,
            "d_labelled": d_labelled,
            "d_real": d_real,
            "d_fake": d_fake,
            "d_penalty": d_penalty,
            "g_loss": g_loss,
            "g_labelled": g_labelled,
            "g_adversarial": g_adversarial,
            **losses.real_shares(labelled=logits_x, unlabelled=logits_u),
        }
        return self.end_step(y, drawn[:count], terms, norms)

    def _score_pairs(self, pairs: tf.Tensor) -> tf.Tensor:
        image, prediction = tf.split(pairs, [self.channels, self.classes], axis=-1)
        return agreement(self.discriminator(image)[0], tf.math.log(prediction + losses.TINY))

    def draw(self, image: tf.Tensor, coarse: tf.Tensor | None) -> tf.Tensor:
        return self.refine_average(image, training=False)

    def samples(self, patch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"image": patch["image"][..., :1], "drawn": self.refine(patch["image"], training=False)}
