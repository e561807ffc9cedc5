"""What the four models share: learners, moving averages, reproducible noise, reports, and what a file keeps of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

import tf_msgan
from tf_msgan.config import SCHEMA, Config, read_schema
from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, gradient_penalty
from tf_msgan.models.learner import Learner, Network
from tf_msgan.models.precision import dtype_policy
from tf_msgan.models.replicas import sum_replicas
from tf_msgan.models.step_metrics import TermMeans, TissueDice
from tf_msgan.models.variable_paths import by_path, digest, numbered_paths, paths_of, unnumbered


class SegmentationModel(keras.Model):
    """A model that learns from labelled and unlabelled patches, and draws tissues with moving averages of its networks.

    `call` takes `{"image", "context"}` as in `tf_msgan.patches.streams` and gives probabilities `(batch, i, j, k, K)`,
    float32. A subclass says who learns, what the networks draw, and how they learn: in `supervised_step` from labelled
    patches alone, in `adversarial_step` from unlabelled ones too. Both return `end_step`.

    Args:
        modalities: names of an image's channels; in a file of schema 0, how many.
        tissues: names of the classes 1, 2, …; K is one more.
        config: a `Config`, or its `to_dict()`.
        schema: of the file that the arguments come from.

    Attributes:
        channels: how many modalities.
        classes: K.
        learners: by name.
    """

    def __init__(
        self,
        modalities: tuple[str, ...] | int,
        tissues: tuple[str, ...],
        config: Config | dict[str, Any],
        schema: int = SCHEMA,
        **kwargs: Any,
    ) -> None:
        # What flows between the networks is float32; the policy is theirs.
        super().__init__(dtype="float32", **kwargs)
        # Files of schema 0 say only how many: `tf_msgan.runs.trained_model` takes the names from the run.
        self.modalities = ("",) * modalities if isinstance(modalities, int) else tuple(modalities)
        self.channels = len(self.modalities)
        self.tissues = tuple(tissues)
        self.classes = len(self.tissues) + 1
        self.config = config if isinstance(config, Config) else Config.from_dict(config, schema)
        self.learners: dict[str, Learner] = {learner.name: learner for learner in self.make_learners()}
        self._build_networks()
        self.dice = TissueDice(self.tissues, name="dice")
        self.terms = TermMeans(self.reported_terms, name="terms")
        # Under float16 a step whose gradients overflow is skipped, and its norms say nothing.
        self.norms = TermMeans(
            [f"{name}_gradient" for name in self.learners],
            only_finite=self.config.training.precision == "mixed_float16",
            name="norms",
        )
        self.steps = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            aggregation="only_first_replica",
            name="steps",
        )
        self.built = True

    def make_learners(self) -> list[Learner]:
        """Says who learns."""
        raise NotImplementedError

    def _build_networks(self) -> None:
        with dtype_policy(self.config.training.precision):
            for name, (network, _) in self._declared.items():
                setattr(self, name, network.build())
            for name in self.averaged:
                setattr(self, f"{name}_average", self._declared[name][0].build())
        for network, average in self._averages():
            average.set_weights(network.get_weights())
            average.trainable = False

    # What follows from the learners.

    @property
    def _declared(self) -> dict[str, tuple[Network, Learner]]:
        """The networks by name, each with its learner, in the order in which files keep them: D last."""
        every = [(name, (network, each)) for each in self.learners.values() for name, network in each.networks.items()]
        return dict(sorted(every, key=lambda named: named[0] == "discriminator"))

    @property
    def averaged(self) -> dict[str, Learner]:
        """The networks of which a moving average is kept, with their learners."""
        return {name: learner for name, (_, learner) in self._declared.items() if learner.averaged}

    @property
    def loss_terms(self) -> tuple[str, ...]:
        """Names of the losses that steps report, and of what they are made of."""
        return tuple(term for learner in self.learners.values() for term in learner.terms)

    @property
    def reported_terms(self) -> tuple[str, ...]:
        """Names of all that steps report but for Dice and the gradients' norms."""
        return (*self.loss_terms, *(name for learner in self.learners.values() for name in learner.diagnostics))

    @property
    def has_coarse_stage(self) -> bool:
        """Whether stage 1 draws a coarse map for what follows."""
        return "coarse" in self.learners

    @property
    def has_discriminator(self) -> bool:
        """Whether there is a D."""
        return "discriminator" in self.learners

    def networks(self) -> dict[str, keras.Model]:
        """Returns the networks that learn, by name."""
        return {name: getattr(self, name) for name in self._declared}

    def patches_seen(self, name: str) -> int:
        """Counts the patches that run through the network `name` in a step."""
        labelled, unlabelled = self.config.training.batch_sizes
        network, _ = self._declared[name]
        return network.labelled * labelled + network.unlabelled * unlabelled

    def _averages(self) -> list[tuple[keras.Model, keras.Model]]:
        return [(getattr(self, name), getattr(self, f"{name}_average")) for name in self.averaged]

    def _moved(self, learner: Learner) -> list[keras.Variable]:
        """The variables that a learner's optimiser moves."""
        return [variable for name in learner.networks for variable in getattr(self, name).trainable_variables]

    def _optimizer(self, name: str) -> keras.optimizers.Optimizer:
        return getattr(self, self.learners[name].optimizer)

    # What the networks draw, by their moving averages.

    def coarse_map(self, half_image: tf.Tensor) -> tf.Tensor:
        """Draws the coarse map, if there is a coarse stage, of images at half resolution, `margin` voxels larger
        at both ends of every axis: P(brain), or that of each tissue, `(batch, i, j, k, guides)` float32 in 0..1."""
        raise NotImplementedError

    def draw(self, image: tf.Tensor, coarse: tf.Tensor | None) -> tf.Tensor:
        """Draws tissue probabilities `(batch, i, j, k, K)`, by the last stage alone; only a model with a coarse stage
        heeds `coarse`, `(batch, i, j, k, guides)`."""
        raise NotImplementedError

    def fuse(self, coarse: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Returns what the coarse map `(…, guides)` leaves of the tissue probabilities `(…, K)`."""
        return drawn

    def judge(self, image: tf.Tensor) -> tf.Tensor:
        """Returns P(real) `(batch, i, j, k)` by D, in 0..1, if there is a D."""
        return tf.sigmoid(losses.real_log_odds(self.discriminator_average(image, training=False)[0]))

    @property
    def has_adversarial_steps(self) -> bool:
        """Whether D has begun to tell scans from what is generated, if the labels went first."""
        first = self.config.training.labelled_steps
        return first == 0 or int(self.steps) > first

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self.draw(inputs["image"], None)

    def samples(self, patch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Draws maps of a patch `{"image", "context"}`, a batch of one, by name: with the networks themselves, not with
        their averages. One channel is a picture, K are probabilities."""
        raise NotImplementedError

    # Learning.

    def compile(self, schedule: Callable[[Any], Any] | None = None, **optimizers: keras.optimizers.Optimizer) -> None:
        """Takes one optimiser NAME_optimizer for each of the learners, and builds each.

        `schedule`, a function of the number of steps done, gives the learning rate of all of them; learners that start
        with the adversarial phase go through the whole of it there. An optimiser that has it itself would work it out
        anew for every variable.

        Under mixed_float16 each must be a `LossScaleOptimizer`: Keras wraps none but `optimizer` by itself, and a
        gradient that was not scaled would be divided by the scale all the same.

        Raises:
            ValueError: an optimiser is missing, or lacks what the precision asks for.
        """
        expected = {learner.optimizer for learner in self.learners.values()}
        if set(optimizers) != expected:
            raise ValueError(f"expected {sorted(expected)}; received {sorted(optimizers)}")
        scaled = self.config.training.precision == "mixed_float16"
        for optimizer in optimizers.values():
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) != scaled:
                raise ValueError(f"{self.config.training.precision}: received the optimizer {optimizer}")
        # Keras wants to know of one: here of one that moves from the first step on, so that its rate says something.
        first = next(learner for learner in self.learners.values() if not learner.adversarial)
        super().compile(
            optimizer=optimizers[first.optimizer],
            auto_scale_loss=False,
            jit_compile=self.config.training.jit_compile,
        )
        for name, optimizer in optimizers.items():
            setattr(self, name, optimizer)
        self.schedule = schedule
        for name, learner in self.learners.items():
            self._optimizer(name).build(self._moved(learner))

    def train_step(self, data: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Takes `{"labelled"}`, or `{"labelled", "unlabelled"}` once the adversarial phase has begun."""
        self._set_rates()
        return self.adversarial_step(**data) if "unlabelled" in data else self.supervised_step(**data)

    def supervised_step(self, labelled: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Learns from labelled patches alone. Returns `end_step`."""
        raise NotImplementedError

    def adversarial_step(
        self, labelled: Mapping[str, tf.Tensor], unlabelled: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Learns from labelled and unlabelled patches. Returns `end_step`."""
        raise NotImplementedError

    def _set_rates(self) -> None:
        if self.schedule is not None:
            total = self.config.training.steps
            for name, learner in self.learners.items():
                first = self._first_step(learner)
                rate = self.schedule(self._steps_since(first) * (total / (total - first)))
                self._optimizer(name).learning_rate.assign(rate)

    def _first_step(self, learner: Learner) -> int:
        """The number of the first step that moves a learner."""
        return self.config.training.labelled_steps if learner.adversarial else 0

    def _steps_since(self, first: int) -> tf.Tensor:
        """How many steps are done, from the step of number `first` on."""
        return tf.cast(tf.maximum(tf.cast(self.steps, tf.int64) - first, 0), tf.float32)

    def objectives(self, **losses_by_learner: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what a replica differentiates for each learner: the replicas' gradients add up to that of its
        loss."""
        replicas = self.distribute_strategy.num_replicas_in_sync
        return {name: self._optimizer(name).scale_loss(loss / replicas) for name, loss in losses_by_learner.items()}

    def update(self, tape: tf.GradientTape, objectives: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Moves each learner by the gradient of the whole batch, no longer than `clip_norm`. Returns the norms, by
        name."""
        return {name: self._update_one(name, tape, objective) for name, objective in objectives.items()}

    def _update_one(self, name: str, tape: tf.GradientTape, objective: tf.Tensor) -> tf.Tensor:
        optimizer, variables = self._optimizer(name), self._moved(self.learners[name])
        # An optimiser clips before it sums over the replicas, so both are done here.
        gradients = sum_replicas(tape.gradient(objective, variables))
        scale = optimizer.scale_loss(1.0)
        clipped, norm = tf.clip_by_global_norm(gradients, self.config.training.clip_norm * scale)
        shares = [gradient / self.distribute_strategy.num_replicas_in_sync for gradient in clipped]
        optimizer.apply_gradients(zip(shares, variables, strict=True))
        return norm / scale

    def naming_loss(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Returns how badly D names the tissues of labelled patches: eq. 10, and the weighted `overlap_loss`."""
        overlap = losses.overlap_loss(tf.nn.softmax(logits), labels)
        return losses.labelled_loss(logits, labels) + self.config.loss.overlap * overlap

    def penalty(
        self, score: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor | float:
        """Returns the weighted `gradient_penalty` of D, if the GAN loss has one; 0 if not."""
        if not GAN_LOSSES[self.config.loss.gan].penalised:
            return 0.0
        # Uniform in 0..1.
        share = (1 + tf.math.erf(self.normal(tf.shape(real)[0], (), seed) / math.sqrt(2))) / 2
        return self.config.loss.gradient_penalty * gradient_penalty(score, real, fake, share)

    def clip(self, name: str) -> None:
        """Keeps the weights of the network `name` within bounds, if the GAN loss asks for that."""
        if not GAN_LOSSES[self.config.loss.gan].clips:
            return
        bound = self.config.loss.clip_weights

        def update(strategy: tf.distribute.Strategy) -> None:
            for variable in getattr(self, name).trainable_variables:
                strategy.extended.update(
                    variable.value, lambda v: v.assign(tf.clip_by_value(v, -bound, bound)), group=False
                )

        tf.distribute.get_replica_context().merge_call(update)

    def prediction_weight(self) -> tf.Tensor:
        """Returns the weight of eq. 14 for whoever draws: it rises from the first step of the adversarial phase on, for
        half of that at most, and then stays."""
        weight, training = self.config.loss, self.config.training
        half = (training.steps - training.labelled_steps) // 2
        ramp = max(min(weight.prediction_ramp_steps, half), 1)
        done = (self._steps_since(training.labelled_steps) + 1) / ramp
        return weight.prediction * tf.clip_by_value(done, 0.0, 1.0)

    def end_step(
        self,
        labels: tf.Tensor,
        probabilities: tf.Tensor,
        terms: Mapping[str, tf.Tensor],
        norms: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Moves the averages, counts the step and reports it. `terms` are scalars by the names of `reported_terms`,
        `norms` those of the gradients by the names of the learners; what the step does not have is not reported."""
        self._follow()
        self.steps.assign_add(1)
        gradients = {f"{name}_gradient": norm for name, norm in norms.items()}
        self.terms.update_state(terms)
        self.norms.update_state(gradients)
        self.dice.update_state(labels, probabilities)
        reported = self._reported(self.terms, self.norms, self.dice)
        missing = {*self.terms.names, *self.norms.names} - {*terms, *gradients}
        return {name: value for name, value in reported.items() if name not in missing}

    def test_step(self, data: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        self.dice.update_state(data["labels"], self(data))
        return self._reported(self.dice)

    def _follow(self) -> None:
        """Moves the averages after the weights. A young average forgets faster, so that the first, random weights are
        soon gone from it (as `tf.train.ExponentialMovingAverage` does with `num_updates`)."""
        steps = [self._steps_since(self._first_step(learner)) for learner in self.averaged.values()]
        decays = [tf.minimum(self.config.training.ema_decay, (1 + step) / (10 + step)) for step in steps]

        def update(strategy: tf.distribute.Strategy, decays: list[tf.Tensor]) -> None:
            for (network, average), decay in zip(self._averages(), decays, strict=True):
                for new, old in zip(network.variables, average.variables, strict=True):
                    strategy.extended.update(
                        old.value, lambda o, n, d: o.assign(d * o + (1 - d) * n), args=(new.value, decay), group=False
                    )

        tf.distribute.get_replica_context().merge_call(update, args=(decays,))

    def seeds(self, count: int) -> list[tf.Tensor]:
        """Returns stateless seeds of this step: a resumed run goes on where it stood (Keras saves no SeedGenerator)."""
        step = tf.stack([tf.constant(self.config.training.seed, tf.int64), tf.cast(self.steps, tf.int64)])
        return tf.unstack(tf.random.split(step, count))

    def normal(self, count: tf.Tensor, shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
        """Returns this replica's `(count, *shape)` part of one standard normal draw for the whole batch, so that the
        number of replicas changes no draw."""
        replica = tf.distribute.get_replica_context()
        draw = tf.random.stateless_normal((count * replica.num_replicas_in_sync, *shape), seed)
        first = replica.replica_id_in_sync_group * count
        return draw[first : first + count]

    def _reported(self, *metrics: keras.metrics.Metric) -> dict[str, tf.Tensor]:
        results = {name: value for metric in metrics for name, value in metric.result().items()}
        # Keras reduces the results of several workers along a first axis.
        several_workers = isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
        return {name: value[None] for name, value in results.items()} if several_workers else results

    # What is kept of a model.

    def model_variables(self) -> dict[str, keras.Variable]:
        """Returns all that a saved model holds, by path: `NETWORK/LAYER/VARIABLE`, and `steps`."""
        return {**by_path(self._network_paths()), "steps": self.steps}

    def optimizer_variables(self) -> dict[str, keras.Variable]:
        """Returns what a step changes beside `model_variables`: slots, iterations and loss scales, by path."""
        return by_path(self._optimizer_paths())

    def numbered_paths(self) -> dict[str, str]:
        """Returns the variables' paths by the names that they have in a checkpoint of schema 0, `NETWORK/N` and
        `OPTIMIZER/N`."""
        return {**numbered_paths({**self._network_paths(), **self._optimizer_paths()}), "steps": "steps"}

    def _network_paths(self) -> dict[str, list[tuple[str, keras.Variable]]]:
        averages = {f"{name}_average": getattr(self, f"{name}_average") for name in self.averaged}
        networks = {**self.networks(), **averages}
        return {name: paths_of(name, network.variables) for name, network in networks.items()}

    def _optimizer_paths(self) -> dict[str, list[tuple[str, keras.Variable]]]:
        optimizers = {learner.optimizer: self._optimizer(name) for name, learner in self.learners.items()}
        return {name: paths_of(name, each.variables, unnumbered) for name, each in optimizers.items()}

    def digest(self) -> str:
        """Returns the SHA-256 of `model_variables`, in hexadecimal: equal for equal weights, bit by bit."""
        return digest(self.model_variables().values())

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing is left to build, and what Keras does here fails with several workers."""

    def get_config(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "version": tf_msgan.__version__,
            "name": self.name,
            "modalities": list(self.modalities),
            "tissues": list(self.tissues),
            "config": self.config.to_dict(),
            # Keras saves weights by the order of layers: whoever loads them compares.
            "variables": list(self.model_variables()),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SegmentationModel":
        """Raises as `Config.from_dict`."""
        schema = read_schema(config, cls.__name__)
        known = {name: config[name] for name in ("name", "modalities", "tissues", "config")}
        return cls(**known, schema=schema)
