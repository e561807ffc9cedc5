"""What the four models share: networks by name, one optimiser each, moving averages, reproducible noise, reports."""

import hashlib
import itertools
import math
import re
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

import tf_msgan
from tf_msgan.config import SCHEMA, Config, read_schema
from tf_msgan.models import losses
from tf_msgan.models.gan_losses import GAN_LOSSES, gradient_penalty
from tf_msgan.models.precision import dtype_policy
from tf_msgan.models.replicas import sum_replicas
from tf_msgan.models.step_metrics import TermMeans, TissueDice


class SegmentationModel(keras.Model):
    """A model that learns from labelled and unlabelled patches, and draws tissues with moving averages of its networks.

    `call` takes `{"image", "context"}` as in `tf_msgan.patches.streams` and gives probabilities `(batch, i, j, k, K)`,
    float32. A subclass builds its networks, says what they draw, and how they learn: in `label_step` from labelled
    patches alone, in `game_step` from unlabelled ones too. Both return `end_step`.

    Args:
        modalities: names of an image's channels; in a file of schema 0, how many.
        tissues: names of the classes 1, 2, …; K is one more.
        config: a `Config`, or its `to_dict()`.
        schema: of the file that the arguments come from.

    Attributes:
        channels: how many modalities.
        classes: K.
    """

    # Each optimiser, by name, with the networks that it moves.
    LEARNERS: ClassVar[dict[str, tuple[str, ...]]]
    # Those that move nothing before the game.
    PLAYERS: ClassVar[tuple[str, ...]] = ()
    # The networks of which moving averages are kept, NAME_average; whoever segments uses those.
    AVERAGED: tuple[str, ...]
    # The optimiser of the network that makes images to fool D, if any.
    IMAGE_GENERATOR: str | None = None
    # What a step reports: losses and their terms, …
    TERMS: tuple[str, ...]
    # … and other signs of how it stands.
    HEALTH: tuple[str, ...] = ()
    # How many labelled and how many unlabelled batches, or others as large, run through each network in a step.
    PASSES: ClassVar[dict[str, tuple[int, int]]]
    # Whether stage 1 draws a coarse map for what follows.
    STAGED = False
    # Whether there is a D.
    JUDGES = True

    def __init__(self, modalities, tissues, config, schema=SCHEMA, **kwargs):
        # What flows between the networks is float32; the policy is theirs.
        super().__init__(dtype="float32", **kwargs)
        # Files of schema 0 say only how many: `tf_msgan.runs.trained_model` takes the names from the run.
        self.modalities = tuple(modalities) if schema else ("",) * modalities
        self.channels = len(self.modalities)
        self.tissues = tuple(tissues)
        self.classes = len(self.tissues) + 1
        self.config = config if isinstance(config, Config) else Config.from_dict(config, schema)
        builders = self.builders()
        with dtype_policy(self.config.training.precision):
            for name, build in builders.items():
                setattr(self, name, build())
            for name in self.AVERAGED:
                setattr(self, f"{name}_average", builders[name]())
        for network, average in self._averages():
            average.set_weights(network.get_weights())
            average.trainable = False
        self.dice = TissueDice(self.tissues, name="dice")
        self.terms = TermMeans((*self.TERMS, *self.HEALTH), name="terms")
        # Under float16 a step whose gradients overflow is skipped, and its norms say nothing.
        self.norms = TermMeans(
            [f"{name}_gradient" for name in self.LEARNERS],
            only_finite=self.config.training.precision == "mixed_float16",
            name="norms",
        )
        self.steps = self.add_weight(
            *((), "zeros", "int64"), trainable=False, aggregation="only_first_replica", name="steps"
        )
        self.built = True

    def builders(self):
        """Functions that build the networks, by name."""
        raise NotImplementedError

    def networks(self) -> dict[str, keras.Model]:
        """The networks that learn, by name."""
        return {name: getattr(self, name) for name in self.builders()}

    def patches_seen(self, name) -> int:
        """How many patches run through the network `name` in a step."""
        sizes = self.config.training.batch_sizes
        return sum(passes * size for passes, size in zip(self.PASSES[name], sizes, strict=True))

    @classmethod
    def learns_unlabelled(cls) -> bool:
        """Whether a step looks at unlabelled patches at all."""
        return any(unlabelled for _, unlabelled in cls.PASSES.values())

    def _averages(self):
        return [(getattr(self, name), getattr(self, f"{name}_average")) for name in self.AVERAGED]

    # What the networks draw, by their moving averages.

    def coarse_map(self, half_image):
        """The coarse map of images at half resolution, `margin` voxels larger at both ends of every axis, if `STAGED`:
        P(brain), or that of each tissue, `(batch, i, j, k, guides)`."""
        raise NotImplementedError

    def draw(self, image, coarse):
        """Tissue probabilities `(batch, i, j, k, K)`, of the last stage alone; only a staged model heeds `coarse`,
        `(batch, i, j, k, guides)`."""
        raise NotImplementedError

    def fuse(self, coarse, drawn):
        """What the coarse map `(…, guides)` leaves of the tissue probabilities `(…, K)`."""
        return drawn

    def judge(self, image):
        """P(real) `(batch, i, j, k)` by D, in 0..1, if it `JUDGES`."""
        return tf.sigmoid(losses.realness(self.discriminator_average(image, training=False)[0]))

    @property
    def judged(self) -> bool:
        """Whether D has begun to tell scans from what is generated, if the labels went first."""
        first = self.config.training.labelled_steps
        return first == 0 or int(self.steps) > first

    def call(self, inputs):
        return self.draw(inputs["image"], None)

    def samples(self, patch) -> dict:
        """Maps of a patch `{"image", "context"}`, a batch of one, by name: the networks' own, not of their averages.
        One channel is a picture, K are probabilities."""
        raise NotImplementedError

    # Learning.

    def compile(self, schedule=None, **optimizers):
        """Takes one optimiser NAME_optimizer for each of `LEARNERS`, and builds each.

        `schedule`, a function of the number of steps done, gives the learning rate of all of them; `PLAYERS` go through
        the whole of it in the game. An optimiser that has it itself would work it out anew for every variable.

        Under mixed_float16 each must be a `LossScaleOptimizer`: Keras wraps none but `optimizer` by itself, and a
        gradient that was not scaled would be divided by the scale all the same.

        Raises:
            ValueError: an optimiser is missing, or lacks what the precision asks for.
        """
        expected = {f"{name}_optimizer" for name in self.LEARNERS}
        if set(optimizers) != expected:
            raise ValueError(f"expected {sorted(expected)}; received {sorted(optimizers)}")
        scaled = self.config.training.precision == "mixed_float16"
        for optimizer in optimizers.values():
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) != scaled:
                raise ValueError(f"{self.config.training.precision}: received the optimizer {optimizer}")
        # Keras wants to know of one: here of one that moves from the first step on, so that its rate says something.
        first = next(name for name in self.LEARNERS if name not in self.PLAYERS)
        super().compile(
            optimizer=optimizers[f"{first}_optimizer"],
            auto_scale_loss=False,
            jit_compile=self.config.training.jit_compile,
        )
        for name, optimizer in optimizers.items():
            setattr(self, name, optimizer)
        self.schedule = schedule
        for optimizer, variables in self._updates().values():
            optimizer.build(variables)

    def _updates(self):
        """Each optimiser with what it moves."""
        return {
            name: (
                getattr(self, f"{name}_optimizer"),
                [variable for network in networks for variable in getattr(self, network).trainable_variables],
            )
            for name, networks in self.LEARNERS.items()
        }

    def train_step(self, data):
        """Takes `{"labelled"}`, or `{"labelled", "unlabelled"}` once the game has begun."""
        self._set_rates()
        return self.game_step(**data) if "unlabelled" in data else self.label_step(**data)

    def label_step(self, labelled):
        raise NotImplementedError

    def game_step(self, labelled, unlabelled):
        raise NotImplementedError

    def _set_rates(self):
        if self.schedule is not None:
            total = self.config.training.steps
            for name, (optimizer, _) in self._updates().items():
                first = self._first_step(name)
                optimizer.learning_rate.assign(self.schedule(self._steps_since(first) * (total / (total - first))))

    def _first_step(self, name) -> int:
        """The number of the first step that moves what is called `name`, an optimiser or its network."""
        return self.config.training.labelled_steps if name in self.PLAYERS else 0

    def _steps_since(self, first):
        """How many steps are done, from the step of number `first` on."""
        return tf.cast(tf.maximum(tf.cast(self.steps, tf.int64) - first, 0), tf.float32)

    def objective(self, name, loss):
        """What a replica differentiates for the optimiser `name`: the replicas' gradients add up to that of `loss`."""
        optimizer, _ = self._updates()[name]
        return optimizer.scale_loss(loss / self.distribute_strategy.num_replicas_in_sync)

    def descend(self, name, tape, objective):
        """One update by the gradient of the whole batch, no longer than `clip_norm`. Returns its norm."""
        optimizer, variables = self._updates()[name]
        # An optimiser clips before it sums over the replicas, so both are done here.
        gradients = sum_replicas(tape.gradient(objective, variables))
        scale = optimizer.scale_loss(1.0)
        clipped, norm = tf.clip_by_global_norm(gradients, self.config.training.clip_norm * scale)
        shares = [gradient / self.distribute_strategy.num_replicas_in_sync for gradient in clipped]
        optimizer.apply_gradients(zip(shares, variables, strict=True))
        return norm / scale

    def learn_labels(self, name, labelled):
        """One update of the network `name`, which draws tissues of images alone, from labelled patches. Returns what it
        drew, the loss, and the gradient's norm."""
        with tf.GradientTape() as tape:
            drawn = getattr(self, name)(labelled["image"], training=True)
            loss = losses.segmentation_loss(drawn, labelled["labels"])
            objective = self.objective(name, loss)
        return drawn, loss, self.descend(name, tape, objective)

    def naming_loss(self, logits, labels):
        """How badly D names the tissues of labelled patches: eq. 10, and the weighted `overlap_loss`."""
        overlap = losses.overlap_loss(tf.nn.softmax(logits), labels)
        return losses.labelled_loss(logits, labels) + self.config.loss.overlap * overlap

    def penalty(self, score, real, fake, seed):
        """The weighted `gradient_penalty` of D, if the GAN loss has one; 0 if not."""
        if not GAN_LOSSES[self.config.loss.gan].penalised:
            return 0.0
        # Uniform in 0..1.
        share = (1 + tf.math.erf(self.normal(tf.shape(real)[0], (), seed) / math.sqrt(2))) / 2
        return self.config.loss.gradient_penalty * gradient_penalty(score, real, fake, share)

    def clip(self, name):
        """Keeps the weights of the network `name` within bounds, if the GAN loss asks for that."""
        if not GAN_LOSSES[self.config.loss.gan].clips:
            return
        bound = self.config.loss.clip_weights

        def update(strategy):
            for variable in getattr(self, name).trainable_variables:
                strategy.extended.update(
                    variable.value, lambda v: v.assign(tf.clip_by_value(v, -bound, bound)), group=False
                )

        tf.distribute.get_replica_context().merge_call(update)

    def end_step(self, labels, probabilities, terms, norms):
        """Moves the averages, counts the step and reports it. `terms` are scalars by the names of `TERMS` and `HEALTH`,
        `norms` those of the gradients by the names of `LEARNERS`; what the step does not have is not reported."""
        self._follow()
        self.steps.assign_add(1)
        norms = {f"{name}_gradient": norm for name, norm in norms.items()}
        self.terms.update_state(terms)
        self.norms.update_state(norms)
        self.dice.update_state(labels, probabilities)
        reported = self._reported(self.terms, self.norms, self.dice)
        missing = {*self.terms.names, *self.norms.names} - {*terms, *norms}
        return {name: value for name, value in reported.items() if name not in missing}

    def test_step(self, data):
        self.dice.update_state(data["labels"], self(data))
        return self._reported(self.dice)

    def _follow(self):
        """Moves the averages after the weights. A young average forgets faster, so that the first, random weights are
        soon gone from it (as `tf.train.ExponentialMovingAverage` does with `num_updates`)."""
        steps = [self._steps_since(self._first_step(name)) for name in self.AVERAGED]
        decays = [tf.minimum(self.config.training.ema_decay, (1 + step) / (10 + step)) for step in steps]

        def update(strategy, decays):
            for (network, average), decay in zip(self._averages(), decays, strict=True):
                for new, old in zip(network.variables, average.variables, strict=True):
                    strategy.extended.update(
                        old.value, lambda o, n, d: o.assign(d * o + (1 - d) * n), args=(new.value, decay), group=False
                    )

        tf.distribute.get_replica_context().merge_call(update, args=(decays,))

    def seeds(self, count):
        """Stateless seeds of this step: a resumed run goes on where it stood (Keras saves no SeedGenerator)."""
        step = tf.stack([tf.constant(self.config.training.seed, tf.int64), tf.cast(self.steps, tf.int64)])
        return tf.unstack(tf.random.split(step, count))

    def normal(self, count, shape, seed):
        """This replica's `(count, *shape)` part of one standard normal draw for the whole batch, so that the number of
        replicas changes no draw."""
        replica = tf.distribute.get_replica_context()
        draw = tf.random.stateless_normal((count * replica.num_replicas_in_sync, *shape), seed)
        first = replica.replica_id_in_sync_group * count
        return draw[first : first + count]

    def prediction_weight(self):
        """The weight of eq. 14 for whoever draws: it rises from the game's first step on, for half of the game at most,
        and then stays."""
        weight, training = self.config.loss, self.config.training
        half = (training.steps - training.labelled_steps) // 2
        ramp = max(min(weight.prediction_ramp_steps, half), 1)
        done = (self._steps_since(training.labelled_steps) + 1) / ramp
        return weight.prediction * tf.clip_by_value(done, 0.0, 1.0)

    def _reported(self, *metrics):
        results = {name: value for metric in metrics for name, value in metric.result().items()}
        # Keras reduces the results of several workers along a first axis.
        several_workers = isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
        return {name: value[None] for name, value in results.items()} if several_workers else results

    # What is kept of a model.

    def model_variables(self) -> dict[str, keras.Variable]:
        """All that a saved model holds, by path: `NETWORK/LAYER/VARIABLE`, and `steps`."""
        return {**_by_path(self._network_paths()), "steps": self.steps}

    def optimizer_variables(self) -> dict[str, keras.Variable]:
        """What a step changes beside `model_variables`: slots, iterations and loss scales, by path."""
        return _by_path(self._optimizer_paths())

    def numbered_paths(self) -> dict[str, str]:
        """By the names that variables have in a checkpoint of schema 0, `NETWORK/N` and `OPTIMIZER/N`, their paths."""
        groups = {**self._network_paths(), **self._optimizer_paths()}
        numbered = {f"{name}/{n}": path for name, group in groups.items() for n, (path, _) in enumerate(group)}
        return {**numbered, "steps": "steps"}

    def _network_paths(self):
        """Pairs of path and variable, by network."""
        averages = {f"{name}_average": getattr(self, f"{name}_average") for name in self.AVERAGED}
        return {
            name: [(f"{name}/{variable.path}", variable) for variable in network.variables]
            for name, network in {**self.networks(), **averages}.items()
        }

    def _optimizer_paths(self):
        """Pairs of path and variable, by optimiser."""
        groups = {f"{name}_optimizer": optimizer.variables for name, (optimizer, _) in self._updates().items()}
        return {
            name: [(f"{name}/{_unnumbered(variable.path)}", variable) for variable in variables]
            for name, variables in groups.items()
        }

    def digest(self) -> str:
        """SHA-256 of `model_variables`, in hexadecimal: equal for equal weights, bit by bit."""
        total = hashlib.sha256()
        for variable in self.model_variables().values():
            total.update(np.ascontiguousarray(variable.numpy()).tobytes())
        return total.hexdigest()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing is left to build, and what Keras does here fails with several workers."""

    def get_config(self):
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
    def from_config(cls, config):
        """Raises as `Config.from_dict`."""
        schema = read_schema(config, cls.__name__)
        known = {name: config[name] for name in ("name", "modalities", "tissues", "config")}
        return cls(**known, schema=schema)


def _unnumbered(path):
    """The path of an optimiser's variable without the number by which Keras tells the optimisers of a process apart."""
    return re.sub(r"^([a-z_]+?)(_[0-9]+)?/", r"\1/", path)


def _by_path(groups):
    """The variables of all groups, by path.

    Raises:
        ValueError: two have one path.
    """
    named = {}
    for path, variable in itertools.chain(*groups.values()):
        if path in named:
            raise ValueError(
                f"two variables called {path}: the layers that one optimiser moves need names of their own"
            )
        named[path] = variable
    return named
