"""The multi-stage GAN as a Keras model: Khaled & Han's three generators and their discriminator."""

import functools
from typing import ClassVar, NamedTuple

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, feature_matching_loss
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.blocks import upsample
from tf_msgan.networks.coarse_generator import build_coarse_generator
from tf_msgan.networks.discriminator import build_discriminator
from tf_msgan.networks.fusion import fuse
from tf_msgan.networks.latent_encoder import build_latent_encoder
from tf_msgan.networks.noise_generator import build_noise_generator
from tf_msgan.networks.refining_generator import build_refine_generator


class Report(NamedTuple):
    """Terms and gradient norms of a part of a step, by name."""

    terms: dict
    norms: dict


@keras.saving.register_keras_serializable("tf_msgan")
class MultiStageGAN(SegmentationModel):
    """G1 draws a coarse map, G2 makes variants of images, G3 draws the tissues, D names voxels or calls them fake."""

    LEARNERS: ClassVar = {
        "coarse": ("coarse",),
        "noise": ("noise", "encoder"),
        "refine": ("refine",),
        "discriminator": ("discriminator",),
    }
    PLAYERS = ("noise", "discriminator")
    AVERAGED = ("coarse", "refine", "discriminator")
    IMAGE_GENERATOR = "noise"
    # In the order of a step: D's terms, then those of G1, G2 and G3; …
    TERMS = (
        *("d_loss", "d_labelled", "d_unlabelled", "d_fake", "d_penalty", "d_named"),
        *("g1_loss", "g1_labelled", "g1_opinion"),
        *("g2_loss", "g2_adversarial", "g2_matching", "g2_recovery", "g2_diversity"),
        *("g3_loss", "g3_labelled", "g3_opinion"),
    )
    # … P(real) as D sees it, and how far variants of an image lie apart.
    HEALTH = ("real_labelled", "real_unlabelled", "real_fake", "variants_apart")
    PASSES: ClassVar = {
        "coarse": (1, 1),
        "noise": (0, 2),
        "encoder": (0, 1),
        "refine": (1, 1),
        "discriminator": (1, 2),
    }
    STAGED = True

    @property
    def guides(self) -> int:
        """Channels of the coarse map: P(brain), or that of each tissue."""
        return len(self.tissues) if self.config.network.coarse_tissues else 1

    @property
    def margin(self) -> tuple[int, int, int]:
        """Voxels at half resolution that G1 is shown beyond what it draws: a context is twice as wide as its patch."""
        return tuple(n // 4 for n in self.config.patch)

    def builders(self):
        modalities, classes, net = self.channels, self.classes, self.config.network
        return {
            "coarse": functools.partial(
                build_coarse_generator, modalities, self.guides + 1, net.coarse_width, self.margin
            ),
            "noise": functools.partial(build_noise_generator, modalities, net.latent, net.noise_width),
            "encoder": functools.partial(build_latent_encoder, modalities, net.latent, net.noise_width),
            "refine": functools.partial(
                build_refine_generator, modalities, classes, net.refine_width, guides=self.guides
            ),
            "discriminator": functools.partial(build_discriminator, modalities, classes, net.discriminator_width),
        }

    def coarse_map(self, half_image):
        return self.coarse_average(half_image, training=False)[..., 1:]

    def draw(self, image, coarse):
        return self.refine_average([image, coarse], training=False)

    def fuse(self, coarse, drawn):
        return fuse(coarse, drawn) if self.config.network.fused else drawn

    def call(self, inputs):
        coarse = upsample(self.coarse_map(inputs["context"]), 2)
        return self.fuse(coarse, self.draw(inputs["image"], coarse))

    def samples(self, patch):
        image = patch["image"]
        z = tf.random.stateless_normal((2, self.config.network.latent), [0, 0])
        variants = self.noise([tf.repeat(image, 2, axis=0), z], training=False)[..., :1]
        return {
            "image": image[..., :1],
            "variant": variants[:1],
            "other_variant": variants[1:],
            **self.sample_maps(patch),
        }

    def sample_maps(self, patch):
        # The patch may be larger than those of training, and its context shows more than G1's margin then.
        beyond = [n // 4 - m for n, m in zip(patch["image"].shape[1:4], self.margin, strict=True)]
        context = keras.layers.Cropping3D([(n, n) for n in beyond])(patch["context"])
        coarse = upsample(self.coarse(context, training=False), 2)
        guide = coarse[..., 1:]
        refined = self.refine([patch["image"], guide], training=False)
        maps = {"coarse": coarse if self.config.network.coarse_tissues else guide, "refined": refined}
        return {**maps, "drawn": self.fuse(guide, refined)} if self.config.network.fused else maps

    def label_step(self, labelled):
        y = labelled["labels"]
        refined, segmentation = self.segment(labelled, y)
        return self.end_step(y, refined, *segmentation)

    def game_step(self, labelled, unlabelled):
        x, y, xu = labelled["image"], labelled["labels"], unlabelled["image"]
        logits_u, game = self.play(x, y, xu)
        # The segmentation waits for the game, whose memory is free again then.
        with tf.control_dependencies(list(game.norms.values())):
            patches = {name: tf.concat([labelled[name], other], 0) for name, other in unlabelled.items()}
            refined, segmentation = self.segment(patches, y, logits_u)
        terms, norms = game.terms | segmentation.terms, game.norms | segmentation.norms
        return self.end_step(y, refined[: tf.shape(x)[0]], terms, norms)

    def play(self, x, y, xu):
        """The game: stage 2 makes variants; D sees labelled, unlabelled and generated patches.

        Returns D's logits of the unlabelled ones, and what to report.
        """
        weight = self.config.loss
        gan = GAN_LOSSES[weight.gan]
        count, count_u = tf.shape(x)[0], tf.shape(xu)[0]
        *z_seeds, named_seed, share_seed = self.seeds(4)
        z, other_z = (self.normal(count_u, (self.config.network.latent,), seed) for seed in z_seeds)

        with tf.GradientTape(persistent=True) as tape:
            variants = self.noise([tf.concat([xu, xu], 0), tf.concat([z, other_z], 0)], training=True)
            variant, other_variant = variants[:count_u], variants[count_u:]
            logits, features = self.discriminator(tf.concat([x, xu], 0), training=True)
            logits_x, logits_u = logits[:count], logits[count:]
            logits_fake, features_fake = self.discriminator(variant, training=True)
            scores_fake = losses.realness(logits_fake)
            named = self._named(x, y, named_seed) if gan.names_fakes else 0.0

            # Eq. 9: D.
            labelled_term = self.naming_loss(logits_x, y)
            real_term, fake_term = gan.discriminator(losses.realness(logits_u), scores_fake)
            penalty = self.penalty(lambda i: losses.realness(self.discriminator(i)[0]), xu, variant, share_seed)
            d_loss = labelled_term + weight.unlabelled * real_term + weight.fake * (fake_term + named) + penalty

            # Eq. 14: G2.
            mean, log_variance = self.encoder(variant, training=True)
            recovery = losses.latent_recovery_loss(z, mean, log_variance)
            matching = feature_matching_loss(features[count:], features_fake)
            apart = losses.difference(variant, other_variant, xu)
            diversity = losses.diversity_loss(apart, weight.variants_differ)
            adversarial = gan.generator(scores_fake)
            g2_loss = (
                adversarial
                + weight.feature_matching * matching
                + weight.latent_recovery * recovery
                + weight.diversity * diversity
                + named
            )
            d_objective, g2_objective = self.objective("discriminator", d_loss), self.objective("noise", g2_loss)
        norms = {
            "discriminator": self.descend("discriminator", tape, d_objective),
            "noise": self.descend("noise", tape, g2_objective),
        }
        self.clip("discriminator")
        terms = {
            **{"d_loss": d_loss, "d_labelled": labelled_term, "d_unlabelled": real_term, "d_fake": fake_term},
            **{"d_penalty": penalty, "d_named": named},
            **{"g2_loss": g2_loss, "g2_adversarial": adversarial, "g2_matching": matching},
            **{"g2_recovery": recovery, "g2_diversity": diversity, "variants_apart": apart},
            **losses.real_shares(labelled=logits_x, unlabelled=logits_u, fake=logits_fake),
        }
        return logits_u, Report(terms, norms)

    def segment(self, patches, y, logits_u=None):
        """The segmentation: stage 1 draws coarse maps, stage 3 the tissues, guided by maps made worse. Labelled patches
        come first; of others that follow D's logits are given. Returns what stage 3 draws, and what to report."""
        count = tf.shape(y)[0]
        with tf.GradientTape(persistent=True) as tape:
            half = self.coarse(patches["context"], training=True)
            guide = tf.stop_gradient(upsample(self.perturb(half, count), 2)[..., 1:])
            refined = self.refine([patches["image"], guide], training=True)

            coarse = upsample(half, 2)
            g1_loss = coarse_term = losses.segmentation_loss(coarse[:count], self._coarse_labels(y))
            g3_loss = labelled_term = losses.segmentation_loss(refined[:count], y)
            terms = {"g1_labelled": coarse_term, "g3_labelled": labelled_term}
            if logits_u is not None:
                # Eq. 14: G1 and G3.
                coarse_opinion = losses.prediction_loss(self._coarse_logits(logits_u), coarse[count:])
                refined_opinion = losses.prediction_loss(logits_u, refined[count:])
                g1_loss += self.prediction_weight() * coarse_opinion
                g3_loss += self.prediction_weight() * refined_opinion
                terms |= {"g1_opinion": coarse_opinion, "g3_opinion": refined_opinion}
            g1_objective, g3_objective = self.objective("coarse", g1_loss), self.objective("refine", g3_loss)
        norms = {
            "coarse": self.descend("coarse", tape, g1_objective),
            "refine": self.descend("refine", tape, g3_objective),
        }
        return refined, Report(terms | {"g1_loss": g1_loss, "g3_loss": g3_loss}, norms)

    def perturb(self, coarse, labelled):
        """Blurs the certainty of coarse maps `(batch, i, j, k, C)`, of which the first are of `labelled` patches, as
        unseen scans do.

        G1 knows the training scans too well: G3 would trust it blindly if it never met a map that is wrong.
        """
        strength = self.config.loss.perturbation
        blobs = (*(n // 4 for n in coarse.shape[1:4]), coarse.shape[-1])
        # Labelled and unlabelled maps each are a batch of their own.
        counts = labelled, tf.shape(coarse)[0] - labelled
        noise = [self.normal(count, blobs, seed) for count, seed in zip(counts, self.seeds(6)[4:], strict=True)]
        # Of a class that is out of the question something is left for the noise to raise.
        certainty = (1 - 0.3 * strength) * tf.math.log(coarse + 1e-3)
        return tf.nn.softmax(certainty + 0.7 * strength * upsample(tf.concat(noise, 0), 4))

    def _coarse_labels(self, labels):
        return labels if self.config.network.coarse_tissues else losses.brain_labels(labels)

    def _coarse_logits(self, logits):
        return logits if self.config.network.coarse_tissues else losses.brain_logits(logits)

    def _named(self, x, y, seed):
        """How badly D names the tissues of variants of labelled images."""
        z = self.normal(tf.shape(x)[0], (self.config.network.latent,), seed)
        logits, _ = self.discriminator(self.noise([x, z], training=True), training=True)
        return losses.labelled_loss(logits, y)
