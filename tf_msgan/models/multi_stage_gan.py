"""The multi-stage GAN as a Keras model: Khaled & Han's three generators and their discriminator.

Stages 1 and 2 may each be left out, to see what they are good for (`NetworkConfig.outlines`, `variants`).
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, feature_matching_loss, real_loss
from tf_msgan.models.learner import Learner, Network
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.blocks import upsample
from tf_msgan.networks.coarse_generator import build_coarse_generator
from tf_msgan.networks.discriminator import build_discriminator
from tf_msgan.networks.fusion import fuse
from tf_msgan.networks.latent_encoder import build_latent_encoder
from tf_msgan.networks.noise_generator import build_noise_generator
from tf_msgan.networks.refining_generator import build_refine_generator

Terms = dict[str, tf.Tensor]


class Variants(NamedTuple):
    """Two variants of each unlabelled image.

    Attributes:
        first, second: `(batch, i, j, k, modality)`.
        z: of the first, `(batch, latent)`.
        naming_seed, penalty_seed: for what else is drawn where there are variants.
    """

    first: tf.Tensor
    second: tf.Tensor
    z: tf.Tensor
    naming_seed: tf.Tensor
    penalty_seed: tf.Tensor


class Judgement(NamedTuple):
    """What D says of patches.

    Attributes:
        labelled, unlabelled, fake: logits `(batch, i, j, k, K)`; `fake` are those of variants, if there are any.
        fake_log_odds: of P(real) of these, `(batch, i, j, k)`.
        unlabelled_features, fake_features: `(batch, features)`.
        named: how badly D names the tissues of variants of labelled images, if the GAN loss asks for that.
    """

    labelled: tf.Tensor
    unlabelled: tf.Tensor
    unlabelled_features: tf.Tensor
    fake: tf.Tensor | None = None
    fake_log_odds: tf.Tensor | None = None
    fake_features: tf.Tensor | None = None
    named: tf.Tensor | float = 0.0


@keras.saving.register_keras_serializable("tf_msgan")
class MultiStageGAN(SegmentationModel):
    """G1 draws a coarse map, G2 makes variants of images, G3 draws the tissues, D names voxels or calls them fake."""

    def make_learners(self) -> list[Learner]:
        net, modalities, classes = self.config.network, self.channels, self.classes
        draw_coarsely = Learner(
            name="coarse",
            networks={
                "coarse": Network(
                    functools.partial(
                        build_coarse_generator, modalities, self.guides + 1, net.coarse_width, self.margin
                    ),
                    labelled=1,
                    unlabelled=1,
                )
            },
            terms=("g1_loss", "g1_labelled", "g1_opinion"),
            averaged=True,
        )
        make_variants = Learner(
            name="noise",
            networks={
                "noise": Network(
                    functools.partial(build_noise_generator, modalities, net.latent, net.noise_width), unlabelled=2
                ),
                "encoder": Network(
                    functools.partial(build_latent_encoder, modalities, net.latent, net.noise_width), unlabelled=1
                ),
            },
            terms=("g2_loss", "g2_adversarial", "g2_matching", "g2_recovery", "g2_diversity"),
            diagnostics=("variants_apart",),
            adversarial=True,
            makes_images=True,
        )
        refine = Learner(
            name="refine",
            networks={
                "refine": Network(
                    functools.partial(
                        build_refine_generator, modalities, classes, net.refine_width, guides=self.guides
                    ),
                    labelled=1,
                    unlabelled=1,
                )
            },
            terms=("g3_loss", "g3_labelled", "g3_opinion"),
            averaged=True,
        )
        of_fakes = ("d_fake", "d_penalty", "d_named") if net.variants else ()
        discriminate = Learner(
            name="discriminator",
            networks={
                "discriminator": Network(
                    functools.partial(build_discriminator, modalities, classes, net.discriminator_width),
                    labelled=1,
                    unlabelled=2 if net.variants else 1,
                )
            },
            terms=("d_loss", "d_labelled", "d_unlabelled", *of_fakes),
            diagnostics=("real_labelled", "real_unlabelled", *(("real_fake",) if net.variants else ())),
            adversarial=True,
            averaged=True,
        )
        stages = [(draw_coarsely, net.outlines), (make_variants, net.variants), (refine, True), (discriminate, True)]
        return [learner for learner, is_wanted in stages if is_wanted]

    @property
    def guides(self) -> int:
        """Channels of what guides stage 3: P(brain), or the probability of each tissue."""
        net = self.config.network
        return len(self.tissues) if net.coarse_tissues and net.outlines else 1

    @property
    def margin(self) -> tuple[int, int, int]:
        """Voxels at half resolution that G1 is shown beyond what it draws: a context is twice as wide as its patch."""
        i, j, k = self.config.patch
        return i // 4, j // 4, k // 4

    # Learning: the paper's algorithm.

    def supervised_step(self, labelled: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Stages 1 and 3 learn from labelled patches."""
        y = labelled["labels"]
        refined, terms, norms = self.segmentation_update(labelled, y)
        return self.end_step(y, refined, terms, norms)

    def adversarial_step(
        self, labelled: Mapping[str, tf.Tensor], unlabelled: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """D and G2 learn from each other; stages 1 and 3 from labelled patches, and from D on unlabelled ones."""
        x, y, xu = labelled["image"], labelled["labels"], unlabelled["image"]
        logits_u, terms, norms = self.adversarial_update(x, y, xu)
        # The segmentation waits for the adversarial update, whose memory is free again then.
        with tf.control_dependencies(list(norms.values())):
            patches = {name: tf.concat([labelled[name], other], 0) for name, other in unlabelled.items()}
            refined, more_terms, more_norms = self.segmentation_update(patches, y, logits_u)
        return self.end_step(y, refined[: tf.shape(x)[0]], terms | more_terms, norms | more_norms)

    def adversarial_update(self, x: tf.Tensor, y: tf.Tensor, xu: tf.Tensor) -> tuple[tf.Tensor, Terms, Terms]:
        """Updates D and G2: stage 2 makes variants; D sees labelled, unlabelled and generated patches. Returns D's
        logits of the unlabelled ones, terms and norms."""
        with tf.GradientTape(persistent=True) as tape:
            variants = self.make_variants(xu) if self.makes_variants else None
            judged = self.discriminate(x, y, xu, variants)
            terms = self.discriminator_terms(y, xu, variants, judged)
            minimised = {"discriminator": terms["d_loss"]}
            if variants:
                terms |= self.noise_terms(xu, variants, judged)
                minimised["noise"] = terms["g2_loss"]
            objectives = self.objectives(**minimised)
        norms = self.update(tape, objectives)
        if variants:
            self.clip("discriminator")
        return judged.unlabelled, terms, norms

    @property
    def makes_variants(self) -> bool:
        """Whether there is a stage 2."""
        return "noise" in self.learners

    def make_variants(self, xu: tf.Tensor) -> Variants:
        """Makes the variants of stage 2: x̃ = G2(xᵤ, z), for two z."""
        *z_seeds, naming_seed, penalty_seed = self.seeds(4)
        count = tf.shape(xu)[0]
        z, other_z = (self.normal(count, (self.config.network.latent,), seed) for seed in z_seeds)
        both = self.noise([tf.concat([xu, xu], 0), tf.concat([z, other_z], 0)], training=True)
        return Variants(
            first=both[:count], second=both[count:], z=z, naming_seed=naming_seed, penalty_seed=penalty_seed
        )

    def discriminate(self, x: tf.Tensor, y: tf.Tensor, xu: tf.Tensor, variants: Variants | None) -> Judgement:
        """Has D judge labelled and unlabelled patches, and variants of the latter."""
        count = tf.shape(x)[0]
        logits, features = self.discriminator(tf.concat([x, xu], 0), training=True)
        judged = Judgement(labelled=logits[:count], unlabelled=logits[count:], unlabelled_features=features[count:])
        if variants is None:
            return judged
        fake, fake_features = self.discriminator(variants.first, training=True)
        log_odds = losses.real_log_odds(fake)
        named = 0.0
        if GAN_LOSSES[self.config.loss.gan].names_fakes:
            z = self.normal(count, (self.config.network.latent,), variants.naming_seed)
            logits, _ = self.discriminator(self.noise([x, z], training=True), training=True)
            named = losses.labelled_loss(logits, y)
        return judged._replace(fake=fake, fake_log_odds=log_odds, fake_features=fake_features, named=named)

    def discriminator_terms(self, y: tf.Tensor, xu: tf.Tensor, variants: Variants | None, judged: Judgement) -> Terms:
        """Returns D's loss, eq. 9, and its terms: D names labelled patches (eq. 10), holds unlabelled ones for real
        (eq. 11), and variants for fake (eq. 12)."""
        weight = self.config.loss
        labelled = self.naming_loss(judged.labelled, y)
        if variants is None:
            unlabelled = real_loss(losses.real_log_odds(judged.unlabelled))
            loss = labelled + weight.unlabelled * unlabelled
            terms = {"d_loss": loss, "d_labelled": labelled, "d_unlabelled": unlabelled}
            return terms | losses.real_shares(labelled=judged.labelled, unlabelled=judged.unlabelled)
        gan = GAN_LOSSES[weight.gan]
        unlabelled, fake = gan.discriminator(losses.real_log_odds(judged.unlabelled), judged.fake_log_odds)
        penalty = self.penalty(
            score=lambda image: losses.real_log_odds(self.discriminator(image)[0]),
            real=xu,
            fake=variants.first,
            seed=variants.penalty_seed,
        )
        loss = labelled + weight.unlabelled * unlabelled + weight.fake * (fake + judged.named) + penalty
        return {
            "d_loss": loss,
            "d_labelled": labelled,
            "d_unlabelled": unlabelled,
            "d_fake": fake,
            "d_penalty": penalty,
            "d_named": judged.named,
            **losses.real_shares(labelled=judged.labelled, unlabelled=judged.unlabelled, fake=judged.fake),
        }

    def noise_terms(self, xu: tf.Tensor, variants: Variants, judged: Judgement) -> Terms:
        """Returns G2's loss, eq. 14, and its terms: D holds its variants for real, with features as of scans; each
        tells its z, and two of an image differ."""
        weight = self.config.loss
        mean, log_variance = self.encoder(variants.first, training=True)
        recovery = losses.latent_recovery_loss(variants.z, mean, log_variance)
        matching = feature_matching_loss(judged.unlabelled_features, judged.fake_features)
        apart = losses.difference(variants.first, variants.second, xu)
        diversity = losses.diversity_loss(apart, weight.variants_differ)
        adversarial = GAN_LOSSES[weight.gan].generator(judged.fake_log_odds)
        loss = (
            adversarial
            + weight.feature_matching * matching
            + weight.latent_recovery * recovery
            + weight.diversity * diversity
            + judged.named
        )
        return {
            "g2_loss": loss,
            "g2_adversarial": adversarial,
            "g2_matching": matching,
            "g2_recovery": recovery,
            "g2_diversity": diversity,
            "variants_apart": apart,
        }

    def segmentation_update(
        self, patches: Mapping[str, tf.Tensor], y: tf.Tensor, logits_u: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, Terms, Terms]:
        """Updates G1 and G3: stage 1 draws coarse maps, stage 3 the tissues, guided by maps made worse.

        Labelled patches come first; of unlabelled ones that follow, D's logits are given. Returns what stage 3 draws,
        terms and norms.
        """
        image, count = patches["image"], tf.shape(y)[0]
        with tf.GradientTape(persistent=True) as tape:
            half = self.coarse(patches["context"], training=True) if self.has_coarse_stage else None
            refined = self.refine([image, self.training_guide(image, half, count)], training=True)
            terms: Terms = {}
            minimised: Terms = {}
            if half is not None:
                terms |= self.coarse_terms(upsample(half, 2), y, logits_u)
                minimised["coarse"] = terms["g1_loss"]
            terms |= self.refine_terms(refined, y, logits_u)
            minimised["refine"] = terms["g3_loss"]
            objectives = self.objectives(**minimised)
        return refined, terms, self.update(tape, objectives)

    def training_guide(self, image: tf.Tensor, half: tf.Tensor | None, count: tf.Tensor) -> tf.Tensor:
        """Returns what guides stage 3 in training, `(batch, i, j, k, guides)`: the coarse maps `half`, made worse,
        through which no gradient passes; without stage 1, that all is brain."""
        if half is None:
            return all_brain(image)
        return tf.stop_gradient(upsample(self.perturb(half, count), 2)[..., 1:])

    def coarse_terms(self, coarse: tf.Tensor, y: tf.Tensor, logits_u: tf.Tensor | None) -> Terms:
        """Returns G1's loss and its terms: the labels', and eq. 14 on unlabelled patches."""
        count, draws_tissues = tf.shape(y)[0], self.config.network.coarse_tissues
        loss = labelled = losses.segmentation_loss(coarse[:count], y if draws_tissues else losses.brain_labels(y))
        terms = {"g1_labelled": labelled}
        if logits_u is not None:
            opinion = losses.prediction_loss(
                logits_u if draws_tissues else losses.brain_logits(logits_u), coarse[count:]
            )
            loss += self.prediction_weight() * opinion
            terms["g1_opinion"] = opinion
        return terms | {"g1_loss": loss}

    def refine_terms(self, refined: tf.Tensor, y: tf.Tensor, logits_u: tf.Tensor | None) -> Terms:
        """Returns G3's loss and its terms: the labels', and eq. 14 on unlabelled patches."""
        count = tf.shape(y)[0]
        loss = labelled = losses.segmentation_loss(refined[:count], y)
        terms = {"g3_labelled": labelled}
        if logits_u is not None:
            opinion = losses.prediction_loss(logits_u, refined[count:])
            loss += self.prediction_weight() * opinion
            terms["g3_opinion"] = opinion
        return terms | {"g3_loss": loss}

    def perturb(self, coarse: tf.Tensor, labelled: tf.Tensor) -> tf.Tensor:
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

    # What the networks draw.

    def coarse_map(self, half_image: tf.Tensor) -> tf.Tensor:
        return self.coarse_average(half_image, training=False)[..., 1:]

    def draw(self, image: tf.Tensor, coarse: tf.Tensor | None) -> tf.Tensor:
        guide = coarse if self.has_coarse_stage else all_brain(image)
        return self.refine_average([image, guide], training=False)

    def fuse(self, coarse: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        return fuse(coarse, drawn) if self.is_fused else drawn

    @property
    def is_fused(self) -> bool:
        """Whether the coarse map is multiplied into what stage 3 draws."""
        return self.config.network.fused and self.has_coarse_stage

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        if not self.has_coarse_stage:
            return self.draw(inputs["image"], None)
        coarse = upsample(self.coarse_map(inputs["context"]), 2)
        return self.fuse(coarse, self.draw(inputs["image"], coarse))

    def samples(self, patch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image = patch["image"]
        maps = {"image": image[..., :1]}
        if self.makes_variants:
            z = tf.random.stateless_normal((2, self.config.network.latent), [0, 0])
            variants = self.noise([tf.repeat(image, 2, axis=0), z], training=False)[..., :1]
            maps |= {"variant": variants[:1], "other_variant": variants[1:]}
        if not self.has_coarse_stage:
            return maps | {"refined": self.refine([image, all_brain(image)], training=False)}
        coarse = self._sample_coarse_map(patch)
        guide = coarse[..., 1:]
        refined = self.refine([image, guide], training=False)
        maps |= {"coarse": coarse if self.config.network.coarse_tissues else guide, "refined": refined}
        return maps | {"drawn": self.fuse(guide, refined)} if self.is_fused else maps

    def _sample_coarse_map(self, patch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        # The patch may be larger than those of training, and its context shows more than G1's margin then.
        beyond = [n // 4 - m for n, m in zip(patch["image"].shape[1:4], self.margin, strict=True)]
        context = keras.layers.Cropping3D([(n, n) for n in beyond])(patch["context"])
        return upsample(self.coarse(context, training=False), 2)


def all_brain(image: tf.Tensor) -> tf.Tensor:
    """Returns the guide `(batch, i, j, k, 1)` of stage 3 without stage 1: P(brain) is 1 everywhere."""
    return tf.ones_like(image[..., :1])


# What an earlier version called the model without a stage; its files say so, and their config leaves the stage out.
keras.saving.get_custom_objects().update(
    {f"tf_msgan>{name}": MultiStageGAN for name in ("WithoutOutlines", "WithoutVariants")}
)
