"""The multi-stage GAN as a Keras model: Khaled & Han's three generators and their discriminator."""

import keras
import tensorflow as tf

from tf_msgan.config import Config
from tf_msgan.models.blocks import upsample
from tf_msgan.models.coarse import build_coarse_generator
from tf_msgan.models.discriminator import build_discriminator
from tf_msgan.models.fusion import fuse
from tf_msgan.models.noise import build_latent_encoder, build_noise_generator
from tf_msgan.models.refine import build_refine_generator
from tf_msgan.training import losses
from tf_msgan.training.dice_metric import TissueDice

# What train_step reports, in the order of a step: D's terms, then those of G1, G2 and G3.
TERMS = (
    *("d_loss", "d_labelled", "d_unlabelled", "d_fake"),
    *("g1_loss", "g1_outline", "g1_opinion"),
    *("g2_loss", "g2_adversarial", "g2_matching", "g2_recovery", "g2_diversity"),
    *("g3_loss", "g3_labelled", "g3_opinion"),
)


@keras.saving.register_keras_serializable("tf_msgan")
class MultiStageGAN(keras.Model):
    """G1 outlines the brain, G2 makes variants of images, G3 draws the tissues, D names voxels or calls them fake.

    `call` takes `{"image", "context"}` as in `tf_msgan.data.pipeline` and gives the fused probabilities
    `(batch, p, p, p, K)`, float32.

    Args:
        modalities: channels of an image.
        tissues: names of the classes 1, 2, …; K is one more.
        config: a `Config`, or its `to_dict()`.
    """

    def __init__(self, modalities, tissues, config, **kwargs):
        super().__init__(**kwargs)
        self.modalities = modalities
        self.tissues = tuple(tissues)
        self.config = config if isinstance(config, Config) else Config.from_dict(config)
        net, classes = self.config.network, len(self.tissues) + 1
        self.coarse = build_coarse_generator(modalities, net.coarse_width)
        self.noise = build_noise_generator(modalities, net.latent, net.noise_width)
        self.encoder = build_latent_encoder(modalities, net.latent, net.noise_width)
        self.refine = build_refine_generator(modalities, classes, net.refine_width)
        self.discriminator = build_discriminator(modalities, classes, net.discriminator_width)
        self.dice = TissueDice(self.tissues, name="dice")
        self.means = {name: keras.metrics.Mean(name=name) for name in TERMS}
        self.steps = self.add_weight(shape=(), dtype="int64", initializer="zeros", trainable=False, name="steps")
        self.built = True

    def networks(self) -> dict[str, keras.Model]:
        """The networks by name."""
        names = ("coarse", "noise", "encoder", "refine", "discriminator")
        return {name: getattr(self, name) for name in names}

    def compile(self, coarse_optimizer, noise_optimizer, refine_optimizer, discriminator_optimizer):
        """Takes one optimiser for each of G1, G2 with its encoder, G3 and D, and builds each."""
        super().compile(optimizer=refine_optimizer)
        self.coarse_optimizer = coarse_optimizer
        self.noise_optimizer = noise_optimizer
        self.refine_optimizer = refine_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        for optimizer, variables in self._updates():
            optimizer.build(variables)

    def _updates(self):
        return [
            (self.coarse_optimizer, self.coarse.trainable_variables),
            (self.noise_optimizer, self.noise.trainable_variables + self.encoder.trainable_variables),
            (self.refine_optimizer, self.refine.trainable_variables),
            (self.discriminator_optimizer, self.discriminator.trainable_variables),
        ]

    def call(self, inputs, training=False):
        coarse = upsample(self.outline(inputs["context"], training=training), 2)[..., 1:]
        return fuse(coarse, self.refine([inputs["image"], coarse], training=training))

    def outline(self, context, training=False):
        """G1's `(batch, p/2, p/2, p/2, 2)` map of the middle of a context, which is where the patch lies."""
        edge = context.shape[1] // 4
        return self.coarse(context, training=training)[:, edge:-edge, edge:-edge, edge:-edge]

    def perturb(self, outline, seed):
        """Blurs the certainty of a coarse outline as unseen scans do.

        G1 knows the training scans too well: G3 would trust it blindly if it never met a map that is wrong.
        """
        log = tf.math.log(outline + losses.TINY)
        log_odds = tf.clip_by_value(log[..., 1:] - log[..., :1], -6.0, 6.0)
        blobs = (tf.shape(outline)[0], *(n // 4 for n in outline.shape[1:4]), 1)
        noise = upsample(tf.random.stateless_normal(blobs, seed), 4)
        brain = tf.sigmoid(0.7 * log_odds + 1.5 * noise)
        return tf.concat([1 - brain, brain], axis=-1)

    def train_step(self, data):
        weight = self.config.loss
        labelled, unlabelled = data["labelled"], data["unlabelled"]
        x, y, xu = labelled["image"], labelled["labels"], unlabelled["image"]
        count = tf.shape(x)[0]
        gan = losses.GAN_LOSSES[weight.gan]
        z_seed, other_seed, perturb_seed = self._seeds(3)
        latent = (tf.shape(xu)[0], self.config.network.latent)
        z, other_z = (tf.random.stateless_normal(latent, seed) for seed in (z_seed, other_seed))

        with tf.GradientTape(persistent=True) as tape:
            # Stage 2 makes variants; D sees labelled, unlabelled and generated patches.
            variant = self.noise([xu, z], training=True)
            other_variant = self.noise([xu, other_z], training=True)
            logits, features = self.discriminator(tf.concat([x, xu], 0), training=True)
            logits_x, logits_u = logits[:count], logits[count:]
            logits_fake, features_fake = self.discriminator(variant, training=True)

            # Stage 1 outlines the brain in both, stage 3 draws the tissues inside outlines made worse.
            outline = self.outline(tf.concat([labelled["context"], unlabelled["context"]], 0), training=True)
            guide = tf.stop_gradient(upsample(self.perturb(outline, perturb_seed), 2)[..., 1:])
            refined = self.refine([tf.concat([x, xu], 0), guide], training=True)

            # Eq. 9: D.
            real_term, fake_term = gan.discriminator(logits_u, logits_fake)
            labelled_term = losses.labelled_loss(logits_x, y)
            d_loss = labelled_term + weight.unlabelled * real_term + weight.fake * fake_term

            # Eq. 14: G2, then G1 and G3, which learn from the labels too.
            mean, log_variance = self.encoder(variant, training=True)
            recovery = losses.latent_recovery_loss(z, mean, log_variance)
            matching = losses.feature_matching_loss(features[count:], features_fake)
            diversity = losses.diversity_loss(variant, other_variant, xu, weight.variants_differ)
            adversarial = gan.generator(logits_fake)
            g2_loss = (
                adversarial
                + weight.feature_matching * matching
                + weight.latent_recovery * recovery
                + weight.diversity * diversity
            )

            prediction_weight = weight.prediction * self._ramp(weight.prediction_ramp_steps)
            outline_opinion = losses.prediction_loss(losses.brain_logits(logits_u), upsample(outline[count:], 2))
            outline_term = losses.outline_loss(outline[:count], y)
            g1_loss = outline_term + prediction_weight * outline_opinion

            refined_opinion = losses.prediction_loss(logits_u, refined[count:])
            segmentation = losses.segmentation_loss(refined[:count], y)
            g3_loss = segmentation + prediction_weight * refined_opinion

        for (optimizer, variables), loss in zip(self._updates(), (g1_loss, g2_loss, g3_loss, d_loss), strict=True):
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        self.steps.assign_add(1)
        self.dice.update_state(y, refined[:count])
        terms = (
            *(d_loss, labelled_term, real_term, fake_term),
            *(g1_loss, outline_term, outline_opinion),
            *(g2_loss, adversarial, matching, recovery, diversity),
            *(g3_loss, segmentation, refined_opinion),
        )
        for name, term in zip(TERMS, terms, strict=True):
            self.means[name].update_state(term)
        return {**{name: self.means[name].result() for name in TERMS}, **self.dice.result()}

    def _seeds(self, count):
        """Stateless seeds of this step: a saved model goes on where it stood (Keras does not save a SeedGenerator)."""
        step = tf.stack([tf.constant(self.config.training.seed, tf.int64), tf.cast(self.steps, tf.int64)])
        return tf.unstack(tf.random.split(step, count))

    def _ramp(self, steps):
        """Rises from 1 / `steps` at the first step to 1 at step number `steps`, and stays."""
        return tf.minimum(1.0, (tf.cast(self.steps, tf.float32) + 1) / max(steps, 1))

    def test_step(self, data):
        self.dice.update_state(data["labels"], self(data, training=False))
        return self.dice.result()

    def get_config(self):
        return {
            "name": self.name,
            "modalities": self.modalities,
            "tissues": list(self.tissues),
            "config": self.config.to_dict(),
        }

    def get_compile_config(self):
        optimizers = (optimizer for optimizer, _ in self._updates())
        return {
            f"{name}_optimizer": keras.saving.serialize_keras_object(optimizer)
            for name, optimizer in zip(("coarse", "noise", "refine", "discriminator"), optimizers, strict=True)
        }

    def compile_from_config(self, config):
        self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})
