"""How long and how fast a model learns."""

from dataclasses import dataclass

from tf_msgan.config.option import (
    ABOVE_0,
    COUNT,
    COUNT_OR_NONE,
    SHARE,
    SHARE_BELOW_1,
    WEIGHT,
    Bounds,
    Options,
    option,
)

OPTIMIZERS = ("muon", "adamw")
SCHEDULES = ("cosine", "poly")
STRATEGIES = ("one", "mirrored", "multiworker")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class TrainingConfig(Options, part="training"):
    """How long and how fast a model learns, and on what arithmetic."""

    epochs: int = option(18, "of the run", bounds=COUNT, flag="--epochs")
    steps_per_epoch: int = option(100, "of each epoch", bounds=COUNT, flag="--steps-per-epoch")
    batch_size: int = option(2, "labelled patches a step", bounds=COUNT, flag="--batch-size")
    unlabelled_share: float = option(
        0.25, "unlabelled patches a step, relative to the labelled ones; there is one at least", bounds=SHARE
    )
    labels_first: float = option(
        0.9,
        "share of the epochs, at the start, in which networks learn from labels alone, before the adversarial phase",
        bounds=SHARE_BELOW_1,
    )
    patch: int = option(
        32,
        "voxels a side of cubic voxels; others get as many",
        bounds=Bounds("1 or more, a multiple of 8", lambda side: side >= 1 and side % 8 == 0),
        flag="--patch",
    )
    foreground: float = option(0.9, "share of patches centred on the brain", bounds=SHARE)
    optimizer: str = option(
        "muon", "of every network but one that makes images to fool D, which has AdamW", choices=OPTIMIZERS
    )
    lr: float = option(3e-3, "peak learning rate of every network", bounds=ABOVE_0, flag="--lr")
    schedule: str = option("cosine", "how the learning rate falls", choices=SCHEDULES, flag="--schedule")
    warmup_steps: int = option(100, "steps in which it rises first", bounds=COUNT_OR_NONE, flag="--warmup-steps")
    final_lr: float = option(0.0, "the learning rate falls to `final_lr` × `lr`; 1 keeps it constant", bounds=SHARE)
    weight_decay: float = option(1e-4, "decoupled from the gradient, relative to the learning rate", bounds=WEIGHT)
    clip_norm: float = option(1.0, "largest gradient norm of a network", bounds=ABOVE_0)
    ema_decay: float = option(
        0.999,
        "share of the old moving average that a step keeps; 0 makes the average the weights themselves",
        bounds=SHARE_BELOW_1,
    )
    patience: int = option(
        0,
        "stop after so many epochs without a better validation Dice; 0 never does",
        bounds=COUNT_OR_NONE,
        flag="--patience",
    )
    precision: str = option(
        "float32", "Keras dtype policy of the networks", choices=PRECISIONS, flag="--precision", group="machine"
    )
    jit_compile: bool = option(
        False, "compile the step with XLA (slower on a CPU)", flag="--jit-compile", group="machine"
    )
    deterministic: bool = option(
        False,
        "equal weights from equal seeds: TensorFlow repeats every operation bit by bit",
        flag="--deterministic",
        group="machine",
    )
    seed: int = option(
        0,
        "of weights, patches and noise",
        bounds=Bounds("within 0..2³¹−1", lambda n: 0 <= n < 2**31),
        flag="--seed",
    )

    @property
    def labelled_epochs(self) -> int:
        """How many epochs the supervised phase has; one at least is left for the adversarial phase."""
        return min(round(self.labels_first * self.epochs), self.epochs - 1)

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def labelled_steps(self) -> int:
        """Those of `labelled_epochs`."""
        return self.labelled_epochs * self.steps_per_epoch

    @property
    def batch_sizes(self) -> tuple[int, int]:
        """Labelled and unlabelled patches a step."""
        return self.batch_size, max(round(self.unlabelled_share * self.batch_size), 1)
