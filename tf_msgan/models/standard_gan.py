"""The standard GAN as a Keras model: Mondal et al.'s setting, in which D is the segmenter."""

import functools
from typing import ClassVar

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, feature_matching_loss
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

    LEARNERS: ClassVar = {"discriminator": ("discriminator",), "generator": ("generator",)}
    PLAYERS = ("generator",)
    AVERAGED = ("discriminator",)
    IMAGE_GENERATOR = "generator"
    TERMS = ("d_loss", "d_labelled", "d_unlabelled", "d_fake", "d_penalty", "d_named")
    TERMS += ("g_loss", "g_adversarial", "g_matching")
    HEALTH = ("real_labelled", "real_unlabelled", "real_fake")
    PASSES: ClassVar = {"discriminator": (1, 2), "generator": (0, 1)}

    def builders(self):
        net, gan = self.config.network, GAN_LOSSES[self.config.loss.gan]
        conditions = self.classes if gan.names_fakes else 0
        return {
            "generator": functools.partial(
                build_image_generator,
                *(self.channels, self.config.patch, net.latent, net.noise_width, conditions),
            ),
            "discriminator": functools.partial(
                build_segmenting_discriminator, self.channels, self.classes, net.unet_width
            ),
        }

    def draw(self, image, coarse):
        return tf.nn.softmax(self.discriminator_average(image, training=False)[0])

    def samples(self, patch):
        drawn = tf.nn.softmax(self.discriminator(patch["image"], training=False)[0])
        z = tf.random.stateless_normal((1, self.config.network.latent), [0, 0])
        # Labels to make an image of: those of the patch's near corner.
        i, j, k = self.config.patch
        wanted = tf.one_hot(tf.argmax(drawn[:, :i, :j, :k], axis=-1), self.classes)
        generated = self.generator([z, wanted][: len(self.generator.inputs)], training=False)
        return {"image": patch["image"][..., :1], "generated": generated[..., :1], "drawn": drawn}

    def label_step(self, labelled):
        x, y = labelled["image"], labelled["labels"]
        with tf.GradientTape() as tape:
            logits, _ = self.discriminator(x, training=True)
            labelled_term = self.naming_loss(logits, y)
            # Else all is real to D when the game begins, and G learns nothing.
            objective = self.objective("discriminator", labelled_term + LEVEL * losses.level_loss(logits))
        norms = {"discriminator": self.descend("discriminator", tape, objective)}
        self.clip("discriminator")
        return self.end_step(y, tf.nn.softmax(logits), {"d_labelled": labelled_term}, norms)

    def game_step(self, labelled, unlabelled):
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
            scores_u, scores_fake = losses.realness(logits_u), losses.realness(logits_fake)
            named = losses.labelled_loss(logits_fake, wanted) if gan.names_fakes else 0.0

            # Eq. 9: D.
            labelled_term = self.naming_loss(logits_x, y)
            real_term, fake_term = gan.discriminator(scores_u, scores_fake)
            penalty = self.penalty(lambda images: losses.realness(self.discriminator(images)[0]), xu, fake, share_seed)
            d_loss = labelled_term + weight.unlabelled * real_term + weight.fake * (fake_term + named) + penalty

            # Eq. 14: G.
            adversarial = gan.generator(scores_fake)
            matching = feature_matching_loss(features[count:], features_fake)
            g_loss = adversarial + weight.feature_matching * matching + named
            d_objective, g_objective = self.objective("discriminator", d_loss), self.objective("generator", g_loss)
        norms = {
            "discriminator": self.descend("discriminator", tape, d_objective),
            "generator": self.descend("generator", tape, g_objective),
        }
        self.clip("discriminator")
        terms = {
            **{"d_loss": d_loss, "d_labelled": labelled_term, "d_unlabelled": real_term, "d_fake": fake_term},
            **{"d_penalty": penalty, "d_named": named},
            **{"g_loss": g_loss, "g_adversarial": adversarial, "g_matching": matching},
            **losses.real_shares(labelled=logits_x, unlabelled=logits_u, fake=logits_fake),
        }
        return self.end_step(y, tf.nn.softmax(logits_x), terms, norms)
