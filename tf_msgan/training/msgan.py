"""The multi-stage GAN as a Keras model: Khaled & Han's three generators and their discriminator."""

import hashlib

import keras
import numpy as np
import tensorflow as tf

from tf_msgan.config import Config
from tf_msgan.models.blocks import upsample
from tf_msgan.models.coarse import build_coarse_generator
from tf_msgan.models.discriminator import build_discriminator
from tf_msgan.models.fusion import fuse
from tf_msgan.models.noise import build_latent_encoder, build_noise_generator
from tf_msgan.models.refine import build_refine_generator
from tf_msgan.training import losses
from tf_msgan.training.metrics import TermMeans, TissueDice
from tf_msgan.training.precision import dtype_policy
from tf_msgan.training.replicas import sum_replicas

# What train_step reports, in the order of a step: D's terms, then those of G1, G2 and G3; …
TERMS = (
    *("d_loss", "d_labelled", "d_unlabelled", "d_fake"),
    *("g1_loss", "g1_outline", "g1_opinion"),
    *("g2_loss", "g2_adversarial", "g2_matching", "g2_recovery", "g2_diversity"),
    *("g3_loss", "g3_labelled", "g3_opinion"),
)
# … P(real) as D sees it, and how far variants of an image lie apart; …
HEALTH = ("real_labelled", "real_unlabelled", "real_fake", "variants_apart")
# … and the norms of the gradients before they are clipped.
NORMS = ("g1_gradient", "g2_gradient", "g3_gradient", "d_gradient")


@keras.saving.register_keras_serializable("tf_msgan")
class MultiStageGAN(keras.Model):
    """G1 outlines the brain, G2 makes variants of images, G3 draws the tissues, D names voxels or calls them fake.

    `call` takes `{"image", "context"}` as in `tf_msgan.data.pipeline` and gives the fused probabilities
    `(batch, i, j, k, K)`, float32. It, and whoever segments, uses the moving averages of G1 and G3, `coarse_average`
    and `refine_average`.

    Args:
        modalities: channels of an image.
        tissues: names of the classes 1, 2, …; K is one more.
        config: a `Config`, or its `to_dict()`.
    """

    def __init__(self, modalities, tissues, config, **kwargs):
        # What flows between the networks is float32; the policy is theirs.
        super().__init__(dtype="float32", **kwargs)
        self.modalities = modalities
        self.tissues = tuple(tissues)
        self.config = config if isinstance(config, Config) else Config.from_dict(config)
        net, classes = self.config.network, len(self.tissues) + 1
        with dtype_policy(self.config.training.precision):
            self.coarse = build_coarse_generator(modalities, net.coarse_width)
            self.noise = build_noise_generator(modalities, net.latent, net.noise_width)
            self.encoder = build_latent_encoder(modalities, net.latent, net.noise_width)
            self.refine = build_refine_generator(modalities, classes, net.refine_width)
            self.discriminator = build_discriminator(modalities, classes, net.discriminator_width)
            self.coarse_average = build_coarse_generator(modalities, net.coarse_width)
            self.refine_average = build_refine_generator(modalities, classes, net.refine_width)
        for network, average in self._averages():
            average.set_weights(network.get_weights())
            average.trainable = False
        self.dice = TissueDice(self.tissues, name="dice")
        self.terms = TermMeans((*TERMS, *HEALTH), name="terms")
        # Under float16 a step whose gradients overflow is skipped, and its norms say nothing.
        self.norms = TermMeans(NORMS, only_finite=self.config.training.precision == "mixed_float16", name="norms")
        self.steps = self.add_weight(
            *((), "zeros", "int64"), trainable=False, aggregation="only_first_replica", name="steps"
        )
        self.built = True

    def networks(self) -> dict[str, keras.Model]:
        """The networks that learn, by name."""
        names = ("coarse", "noise", "encoder", "refine", "discriminator")
        return {name: getattr(self, name) for name in names}

    def _averages(self):
        return [(self.coarse, self.coarse_average), (self.refine, self.refine_average)]

    def compile(self, coarse_optimizer, noise_optimizer, refine_optimizer, discriminator_optimizer, schedule=None):
        """Takes one optimiser for each of G1, G2 with its encoder, G3 and D, and builds each.

        `schedule`, a function of the number of steps done, gives the learning rate of all of them. An optimiser that
        has it itself would work it out anew for every variable.

        Under mixed_float16 each must be a `LossScaleOptimizer`: Keras wraps none but `optimizer` by itself, and a
        gradient that was not scaled would be divided by the scale all the same.

        Raises:
            ValueError: an optimiser lacks what the precision asks for.
        """
        scaled = self.config.training.precision == "mixed_float16"
        optimizers = (coarse_optimizer, noise_optimizer, refine_optimizer, discriminator_optimizer)
        for optimizer in optimizers:
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) != scaled:
                raise ValueError(f"{self.config.training.precision}: received the optimizer {optimizer}")
        super().compile(optimizer=refine_optimizer, auto_scale_loss=False, jit_compile=self.config.training.jit_compile)
        self.coarse_optimizer = coarse_optimizer
        self.noise_optimizer = noise_optimizer
        self.refine_optimizer = refine_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.schedule = schedule
        for optimizer, variables in self._updates().values():
            optimizer.build(variables)

    def _updates(self):
        """Each optimiser with what it moves."""
        return {
            "coarse": (self.coarse_optimizer, self.coarse.trainable_variables),
            "noise": (self.noise_optimizer, self.noise.trainable_variables + self.encoder.trainable_variables),
            "refine": (self.refine_optimizer, self.refine.trainable_variables),
            "discriminator": (self.discriminator_optimizer, self.discriminator.trainable_variables),
        }

    def model_variables(self) -> dict[str, keras.Variable]:
        """All that a saved model holds, by names that do not depend on what else the process has built."""
        networks = {
            **self.networks(),
            "coarse_average": self.coarse_average,
            "refine_average": self.refine_average,
        }
        named = {f"{name}/{n}": v for name, network in networks.items() for n, v in enumerate(network.variables)}
        return {**named, "steps": self.steps}

    def digest(self) -> str:
        """SHA-256 of `model_variables`, in hexadecimal: equal for equal weights, bit by bit."""
        total = hashlib.sha256()
        for variable in self.model_variables().values():
            total.update(np.ascontiguousarray(variable.numpy()).tobytes())
        return total.hexdigest()

    def optimizer_variables(self) -> dict[str, keras.Variable]:
        """What a step changes beside `model_variables`: slots, iterations and loss scales, by name."""
        return {
            f"{name}_optimizer/{n}": variable
            for name, (optimizer, _) in self._updates().items()
            for n, variable in enumerate(optimizer.variables)
        }

    def call(self, inputs):
        return draw_maps(self.coarse_average, self.refine_average, inputs)["fused"]

    def perturb(self, outline, noise):
        """Blurs the certainty of a coarse outline as unseen scans do.

        G1 knows the training scans too well: G3 would trust it blindly if it never met a map that is wrong.

        Args:
            outline: `(batch, i, j, k, 2)` probabilities.
            noise: `(batch, i/4, j/4, k/4, 1)`, standard normal.
        """
        log = tf.math.log(outline + losses.TINY)
        log_odds = tf.clip_by_value(log[..., 1:] - log[..., :1], -6.0, 6.0)
        brain = tf.sigmoid(0.7 * log_odds + 1.5 * upsample(noise, 4))
        return tf.concat([1 - brain, brain], axis=-1)

    def train_step(self, data):
        weight = self.config.loss
        labelled, unlabelled = data["labelled"], data["unlabelled"]
        x, y, xu = labelled["image"], labelled["labels"], unlabelled["image"]
        count, count_u = tf.shape(x)[0], tf.shape(xu)[0]
        gan = losses.GAN_LOSSES[weight.gan]
        self._set_learning_rate()
        seeds, blobs = self._seeds(4), (*(n // 8 for n in x.shape[1:4]), 1)
        z, other_z = (self._normal(count_u, (self.config.network.latent,), seed) for seed in seeds[:2])
        noise = tf.concat([self._normal(count, blobs, seeds[2]), self._normal(count_u, blobs, seeds[3])], 0)

        # The game: stage 2 makes variants; D sees labelled, unlabelled and generated patches.
        with tf.GradientTape(persistent=True) as tape:
            variants = self.noise([tf.concat([xu, xu], 0), tf.concat([z, other_z], 0)], training=True)
            variant, other_variant = variants[:count_u], variants[count_u:]
            logits, features = self.discriminator(tf.concat([x, xu], 0), training=True)
            logits_x, logits_u = logits[:count], logits[count:]
            logits_fake, features_fake = self.discriminator(variant, training=True)

            # Eq. 9: D.
            real_term, fake_term = gan.discriminator(logits_u, logits_fake)
            labelled_term = losses.labelled_loss(logits_x, y)
            d_loss = labelled_term + weight.unlabelled * real_term + weight.fake * fake_term

            # Eq. 14: G2.
            mean, log_variance = self.encoder(variant, training=True)
            recovery = losses.latent_recovery_loss(z, mean, log_variance)
            matching = losses.feature_matching_loss(features[count:], features_fake)
            apart = losses.difference(variant, other_variant, xu)
            diversity = losses.diversity_loss(apart, weight.variants_differ)
            adversarial = gan.generator(logits_fake)
            g2_loss = (
                adversarial
                + weight.feature_matching * matching
                + weight.latent_recovery * recovery
                + weight.diversity * diversity
            )
            d_objective, g2_objective = self._objective("discriminator", d_loss), self._objective("noise", g2_loss)
        d_norm = self._descend("discriminator", tape, d_objective)
        g2_norm = self._descend("noise", tape, g2_objective)

        # The segmentation: stage 1 outlines the brain, stage 3 draws the tissues inside outlines made worse. It waits
        # for the game, whose memory is free again then.
        with tf.control_dependencies([d_norm, g2_norm]), tf.GradientTape(persistent=True) as tape:
            context = tf.concat([labelled["context"], unlabelled["context"]], 0)
            outline = middle(self.coarse(context, training=True))
            guide = tf.stop_gradient(upsample(self.perturb(outline, noise), 2)[..., 1:])
            refined = self.refine([tf.concat([x, xu], 0), guide], training=True)

            # Eq. 14: G1 and G3, which learn from the labels too.
            prediction_weight = weight.prediction * self._ramp(weight.prediction_ramp_steps)
            outline_opinion = losses.prediction_loss(losses.brain_logits(logits_u), upsample(outline[count:], 2))
            outline_term = losses.outline_loss(outline[:count], y)
            g1_loss = outline_term + prediction_weight * outline_opinion

            refined_opinion = losses.prediction_loss(logits_u, refined[count:])
            segmentation = losses.segmentation_loss(refined[:count], y)
            g3_loss = segmentation + prediction_weight * refined_opinion
            g1_objective, g3_objective = self._objective("coarse", g1_loss), self._objective("refine", g3_loss)
        g1_norm = self._descend("coarse", tape, g1_objective)
        g3_norm = self._descend("refine", tape, g3_objective)
        self._follow()
        self.steps.assign_add(1)

        self.norms.update_state([g1_norm, g2_norm, g3_norm, d_norm])
        self.dice.update_state(y, refined[:count])
        self.terms.update_state(
            [
                *(d_loss, labelled_term, real_term, fake_term),
                *(g1_loss, outline_term, outline_opinion),
                *(g2_loss, adversarial, matching, recovery, diversity),
                *(g3_loss, segmentation, refined_opinion),
                *(losses.real_share(logits) for logits in (logits_x, logits_u, logits_fake)),
                apart,
            ]
        )
        return self._reported(self.terms, self.norms, self.dice)

    def test_step(self, data):
        self.dice.update_state(data["labels"], self(data))
        return self._reported(self.dice)

    def _set_learning_rate(self):
        if self.schedule is not None:
            rate = self.schedule(self.steps)
            for optimizer, _ in self._updates().values():
                optimizer.learning_rate.assign(rate)

    def _objective(self, name, loss):
        """What a replica differentiates for the optimiser `name`: the replicas' gradients add up to that of `loss`."""
        optimizer, _ = self._updates()[name]
        return optimizer.scale_loss(loss / self.distribute_strategy.num_replicas_in_sync)

    def _descend(self, name, tape, objective):
        """One update by the gradient of the whole batch, no longer than `clip_norm`. Returns its norm."""
        optimizer, variables = self._updates()[name]
        # An optimiser clips before it sums over the replicas, so both are done here.
        gradients = sum_replicas(tape.gradient(objective, variables))
        scale = optimizer.scale_loss(1.0)
        clipped, norm = tf.clip_by_global_norm(gradients, self.config.training.clip_norm * scale)
        shares = [gradient / self.distribute_strategy.num_replicas_in_sync for gradient in clipped]
        optimizer.apply_gradients(zip(shares, variables, strict=True))
        return norm / scale

    def _follow(self):
        """Moves the averages of G1 and G3 after their weights. A young average forgets faster, so that the first,
        random weights are soon gone from it (as `tf.train.ExponentialMovingAverage` does with `num_updates`)."""
        step = tf.cast(self.steps, tf.float32)
        decay = tf.minimum(self.config.training.ema_decay, (1 + step) / (10 + step))

        def update(strategy, decay):
            for network, average in self._averages():
                for new, old in zip(network.variables, average.variables, strict=True):
                    strategy.extended.update(
                        old.value, lambda o, n, d: o.assign(d * o + (1 - d) * n), args=(new.value, decay), group=False
                    )

        tf.distribute.get_replica_context().merge_call(update, args=(decay,))

    def _seeds(self, count):
        """Stateless seeds of this step: a resumed run goes on where it stood (Keras saves no SeedGenerator)."""
        step = tf.stack([tf.constant(self.config.training.seed, tf.int64), tf.cast(self.steps, tf.int64)])
        return tf.unstack(tf.random.split(step, count))

    def _normal(self, count, shape, seed):
        """This replica's `(count, *shape)` part of one standard normal draw for the whole batch, so that the number of
        replicas changes no draw."""
        replica = tf.distribute.get_replica_context()
        draw = tf.random.stateless_normal((count * replica.num_replicas_in_sync, *shape), seed)
        first = replica.replica_id_in_sync_group * count
        return draw[first : first + count]

    def _ramp(self, steps):
        """Rises from 1 / `steps` at the first step to 1 at step number `steps`, and stays."""
        return tf.minimum(1.0, (tf.cast(self.steps, tf.float32) + 1) / max(steps, 1))

    def _reported(self, *metrics):
        results = {name: value for metric in metrics for name, value in metric.result().items()}
        # Keras reduces the results of several workers along a first axis.
        several_workers = isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
        return {name: value[None] for name, value in results.items()} if several_workers else results

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing is left to build, and what Keras does here fails with several workers."""

    def get_config(self):
        return {
            "name": self.name,
            "modalities": self.modalities,
            "tissues": list(self.tissues),
            "config": self.config.to_dict(),
        }


def middle(outline):
    """The middle `(batch, i/2, j/2, k/2, 2)` of a context's outline `(batch, i, j, k, 2)`: there the patch lies."""
    i, j, k = (slice(size // 4, -(size // 4)) for size in outline.shape[1:4])
    return outline[:, i, j, k]


def draw_maps(coarse_network, refine_network, inputs) -> dict[str, tf.Tensor]:
    """What stages 1 and 3 and their fusion make of `{"image", "context"}`: `coarse` `(batch, i, j, k, 1)` P(brain),
    `refined` and `fused` `(batch, i, j, k, K)` probabilities."""
    coarse = upsample(middle(coarse_network(inputs["context"], training=False)), 2)[..., 1:]
    refined = refine_network([inputs["image"], coarse], training=False)
    return {"coarse": coarse, "refined": refined, "fused": fuse(coarse, refined)}
