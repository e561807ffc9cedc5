"""The standard GAN as a Keras model: Mondal et al.'s setting, in which D is the segmenter."""

import functools
from collections.abc import Mapping

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, feature_matching_loss
from tf_msgan.models.learner import Learner, Network
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.image_generator import build_image_generator
from tf_msgan.networks.segmenting_discriminator import build_segmenting_discriminator

# The weight of `level_loss`.
LEVEL = 0.01


@keras.saving.register_keras_serializable("tf_msgan")
class StandardGAN(SegmentationModel):
    """G makes patches from noise alone; D names the tissues of labelled patches, and tells unlabelled from generated.

    Under a loss that names fakes (AC-GAN), G is given the labels that its patches are to have.
    """

    def make_learners(self) -> list[Learner]:
        net, modalities, classes = self.config.network, self.channels, self.classes
        build_g = functools.partial(
            build_image_generator,
            modalities,
            self.config.patch,
            net.latent,
            net.noise_width,
            classes=classes if GAN_LOSSES[self.config.loss.gan].names_fakes else 0,
        )
        build_d = functools.partial(build_segmenting_discriminator, modalities, classes, net.unet_width)
        generate = Learner(
            name="generator",
            networks={"generator": Network(build_g, unlabelled=1)},
            terms=("g_loss", "g_adversarial", "g_matching"),
            adversarial=True,
            makes_images=True,
        )
        discriminate = Learner(
            name="discriminator",
            networks={"discriminator": Network(build_d, labelled=1, unlabelled=2)},
            terms=("d_loss", "d_labelled", "d_unlabelled", "d_fake", "d_penalty", "d_named"),
            diagnostics=("real_labelled", "real_unlabelled", "real_fake"),
            averaged=True,
        )
        return [generate, discriminate]

    def supervised_step(self, labelled: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """D learns to name the tissues of labelled patches."""
        x, y = labelled["image"], labelled["labels"]
        with tf.GradientTape() as tape:
            logits, _ = self.discriminator(x, training=True)
            loss = self.naming_loss(logits, y)
            # Else all is real to D when the adversarial phase begins, and G learns nothing.
            objectives = self.objectives(discriminator=loss + LEVEL * losses.level_loss(logits))
        norms = self.update(tape, objectives)
        self.clip("discriminator")
        return self.end_step(y, tf.nn.softmax(logits), {"d_labelled": loss}, norms)

    def adversarial_step(
        self, labelled: Mapping[str, tf.Tensor], unlabelled: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """D and G learn from each other, and D from labelled patches."""
        weight = self.config.loss
        gan = GAN_LOSSES[weight.gan]
        x, y, xu = labelled["image"], labelled["labels"], unlabelled["image"]
        count, count_u = tf.shape(x)[0], tf.shape(xu)[0]
        z_seed, share_seed = self.seeds(2)
        z = self.normal(count_u, (self.config.network.latent,), z_seed)
        wanted = y[:count_u]
        conditions = [losses.valid_one_hot(wanted, self.classes)[0]] if gan.names_fakes else []

        with tf.GradientTape(persistent=True) as tape:
            fake = self.generator([z, *conditions], training=True)
            logits, features = self.discriminator(tf.concat([x, xu], 0), training=True)
            logits_x, logits_u = logits[:count], logits[count:]
            logits_fake, features_fake = self.discriminator(fake, training=True)
            scores_u, scores_fake = losses.real_log_odds(logits_u), losses.real_log_odds(logits_fake)
            named = losses.labelled_loss(logits_fake, wanted) if gan.names_fakes else 0.0

            # D, eq. 9: it names labelled patches, holds unlabelled ones for real, and generated ones for fake.
            d_labelled = self.naming_loss(logits_x, y)
            d_unlabelled, d_fake = gan.discriminator(scores_u, scores_fake)
            d_penalty = self.penalty(
                lambda images: losses.real_log_odds(self.discriminator(images)[0]), xu, fake, share_seed
            )
            d_loss = d_labelled + weight.unlabelled * d_unlabelled + weight.fake * (d_fake + named) + d_penalty

            # G, eq. 14: D holds its patches for real, with features as of scans.
            g_adversarial = gan.generator(scores_fake)
            g_matching = feature_matching_loss(features[count:], features_fake)
            g_loss = g_adversarial + weight.feature_matching * g_matching + named

            objectives = self.objectives(discriminator=d_loss, generator=g_loss)
        norms = self.update(tape, objectives)
        self.clip("discriminator")
        terms = {
            "d_loss": d_loss,
            "d_labelled": d_labelled,
            "d_unlabelled": d_unlabelled,
            "d_fake": d_fake,
            "d_penalty": d_penalty,
            "d_named": named,
            "g_loss": g_loss,
            "g_adversarial": g_adversarial,
            "g_matching": g_matching,
            **losses.real_shares(labelled=logits_x, unlabelled=logits_u, fake=logits_fake),
        }
        return self.end_step(y, tf.nn.softmax(logits_x), terms, norms)

    def draw(self, image: tf.Tensor, coarse: tf.Tensor | None) -> tf.Tensor:
        return tf.nn.softmax(self.discriminator_average(image, training=False)[0])

    def samples(self, patch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        drawn = tf.nn.softmax(self.discriminator(patch["image"], training=False)[0])
        z = tf.random.stateless_normal((1, self.config.network.latent), [0, 0])
        # Labels to make an image of: those of the patch's near corner.
        i, j, k = self.config.patch
        wanted = tf.one_hot(tf.argmax(drawn[:, :i, :j, :k], axis=-1), self.classes)
        generated = self.generator([z, wanted][: len(self.generator.inputs)], training=False)
        return {"image": patch["image"][..., :1], "generated": generated[..., :1], "drawn": drawn}
