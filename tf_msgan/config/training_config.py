"""How long and how fast a model learns."""

from dataclasses import dataclass

from tf_msgan.config.checks import check_field, check_option, is_weight

OPTIMIZERS = ("muon", "adamw")
SCHEDULES = ("cosine", "poly")
STRATEGIES = ("one", "mirrored", "multiworker")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast.

    Attributes:
        epochs, steps_per_epoch: lengths of the run.
        batch_size: labelled patches a step.
        unlabelled_share: unlabelled patches a step, relative to the labelled ones; there is one at least.
        labels_first: share of the epochs, at the start, in which networks learn from labels alone, before the game.
        patch: voxels a side of cubic voxels, a multiple of 8; others get as many (`Preparation.block`).
        foreground: share of patches centred on the brain.
        optimizer: of every network but one that makes images to fool D, one of `OPTIMIZERS`.
        lr: peak learning rate of every network.
        schedule: shape of the fall from `lr`, one of `SCHEDULES`.
        warmup_steps: of linear rise to `lr`.
        final_lr: the schedule falls to `final_lr` × `lr`; 1 keeps it constant.
        weight_decay: decoupled from the gradient, relative to the learning rate.
        clip_norm: largest gradient norm of a network.
        ema_decay: share of the old average that a step keeps; 0 makes the average the weights themselves.
        patience: epochs without a better validation Dice after which training stops; 0 never stops it.
        precision: Keras dtype policy, one of `PRECISIONS`.
        jit_compile: whether XLA compiles the step (slower on a CPU).
        deterministic: whether TensorFlow must repeat every operation bit by bit.
        seed: of weights, patches and noise.
    """

    epochs: int = 18
    steps_per_epoch: int = 100
    batch_size: int = 2
    unlabelled_share: float = 0.25
    labels_first: float = 0.9
    patch: int = 32
    foreground: float = 0.9
    optimizer: str = "muon"
    lr: float = 3e-3
    schedule: str = "cosine"
    warmup_steps: int = 100
    final_lr: float = 0.0
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    patience: int = 0
    precision: str = "float32"
    jit_compile: bool = False
    deterministic: bool = False
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "steps_per_epoch", "batch_size", "patch"):
            check_option(name, getattr(self, name), "1 or more", getattr(self, name) >= 1)
        check_option("patch", self.patch, "a multiple of 8", self.patch % 8 == 0)
        for name in ("warmup_steps", "patience"):
            check_option(name, getattr(self, name), "0 or more", getattr(self, name) >= 0)
        check_field(self, "optimizer", f"one of {', '.join(OPTIMIZERS)}", lambda name: name in OPTIMIZERS)
        check_field(self, "clip_norm", "above 0", lambda norm: norm > 0)
        check_field(self, "final_lr", "within 0..1", lambda share: 0 <= share <= 1)
        check_field(self, "weight_decay", "0 or more", is_weight)
        check_option("lr", self.lr, "above 0", self.lr > 0)
        check_option("ema_decay", self.ema_decay, "within 0..1, below 1", 0 <= self.ema_decay < 1)
        check_option("schedule", self.schedule, f"one of {', '.join(SCHEDULES)}", self.schedule in SCHEDULES)
        check_field(self, "unlabelled_share", "within 0..1", lambda share: 0 <= share <= 1)
        check_field(self, "labels_first", "within 0..1, below 1", lambda share: 0 <= share < 1)
        check_option("precision", self.precision, f"one of {', '.join(PRECISIONS)}", self.precision in PRECISIONS)
        check_option("foreground", self.foreground, "within 0..1", 0 <= self.foreground <= 1)
        check_option("seed", self.seed, "within 0..2³¹−1", 0 <= self.seed < 2**31)

    @property
    def labelled_epochs(self) -> int:
        """How many epochs, at the start, networks learn from labels alone; one at least is left for the game."""
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
