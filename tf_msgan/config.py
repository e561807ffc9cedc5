"""The options of a run, checked against each other, and as JSON both ways."""

import dataclasses
import math
from dataclasses import dataclass, field

from tf_msgan.errors import InputError

OPTIMIZERS = ("muon", "adamw")
SCHEDULES = ("cosine", "poly")
STRATEGIES = ("one", "mirrored", "multiworker")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
CROPS = ("brain", "nonzero")
NORMALISATIONS = ("zscore", "percentile")
MODELS = ("unet", "standard-gan", "one-stage", "multi-stage")
GANS = ("minimax", "nsgan", "wgan", "wgan-gp", "lsgan", "acgan")


def _check(name, value, expected, ok):
    if not ok:
        raise InputError(f"--{name.replace('_', '-')}", value, expected)


def _check_set(part, name, expected, is_right):
    """Checks a field that has no option of its own."""
    value = getattr(part, name)
    _check("set", f"{name}={value}", expected, is_right(value))


def _is_weight(value):
    return math.isfinite(value) and value >= 0


@dataclass(frozen=True)
class Preparation:
    """What is done to a scan before networks see it, in training and in prediction alike.

    Attributes:
        crop: "brain" for skull-stripped scans, in which all that is not 0 is brain; "nonzero" for heads.
        normalise: how intensities are scored, one of `NORMALISATIONS`.
        n4: whether the bias field is corrected first (needs SimpleITK).
        resample: mm of the cubic voxels to resample to; 0 keeps each scan's own.
        spacing: mm of a typical training scan's voxels, as networks see them: patches and tiles are about as long in mm
            along every axis.
    """

    crop: str = "brain"
    normalise: str = "zscore"
    n4: bool = False
    resample: float = 0.0
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self):
        # JSON has no tuples.
        object.__setattr__(self, "spacing", tuple(self.spacing))
        _check("crop", self.crop, f"one of {', '.join(CROPS)}", self.crop in CROPS)
        _check("normalise", self.normalise, f"one of {', '.join(NORMALISATIONS)}", self.normalise in NORMALISATIONS)
        possible = self.resample == 0 or 0.3 <= self.resample <= 30
        _check("resample", self.resample, "0.3 to 30 mm, or 0 for each scan's own", possible)

    def block(self, side: int, multiple: int) -> tuple[int, int, int]:
        """Voxels along i, j, k of a block that has about `side`³ and is about as long in mm along every axis; each
        divides by `multiple`."""
        mean = math.prod(self.spacing) ** (1 / 3)
        return tuple(max(round(side * mean / mm / multiple), 1) * multiple for mm in self.spacing)


STRIPPED = Preparation()


@dataclass(frozen=True)
class NetworkConfig:
    """Widths of the networks, in channels at their finest level, and the latent vector's length.

    `unet_width` is that of the U-Net and of the standard GAN's segmenter. `outlines` and `variants` say whether the
    multi-stage model has its stages 1 and 2; `coarse_tissues`, whether stage 1 draws the tissues, or outlines the brain
    alone; `fused`, whether its outline of the brain is multiplied into stage 3's tissues, beside guiding stage 3.
    """

    coarse_width: int = 24
    noise_width: int = 8
    refine_width: int = 16
    unet_width: int = 16
    discriminator_width: int = 8
    latent: int = 16
    outlines: bool = True
    variants: bool = True
    coarse_tissues: bool = True
    fused: bool = False

    def __post_init__(self):
        for name in ("coarse", "noise", "refine", "unet", "discriminator"):
            _check_set(self, f"{name}_width", "1 or more", lambda width: width >= 1)
        _check_set(self, "latent", "1 or more", lambda length: length >= 1)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses (docs/paper.md).

    Attributes:
        gan: the adversarial pair, one of `GANS`.
        unlabelled, fake: of eqs. 11 and 12 in eq. 9 (Mondal et al. 2018: ½ and ½).
        overlap: of 1 − Dice, beside eq. 10, for D.
        prediction: of eq. 14 for G1 and G3, reached after `prediction_ramp_steps` (D has no opinion worth hearing
            at the start), and half of the game at most.
        perturbation: how far the coarse maps that guide stage 3 are made worse in training; 0 leaves them as they are.
        feature_matching, latent_recovery, diversity: beside G2's adversarial loss.
        variants_differ: how far two variants of an image must lie apart, in standard deviations of the brain.
        gradient_penalty: of D under "wgan-gp" (Gulrajani et al. 2017: 10).
        clip_weights: D's weights stay within ± this under "wgan".
    """

    gan: str = "nsgan"
    unlabelled: float = 0.5
    fake: float = 0.5
    overlap: float = 1.0
    prediction: float = 0.1
    prediction_ramp_steps: int = 300
    perturbation: float = 1.0
    feature_matching: float = 1.0
    latent_recovery: float = 1.0
    diversity: float = 2.0
    variants_differ: float = 0.3
    gradient_penalty: float = 10.0
    clip_weights: float = 0.1

    def __post_init__(self):
        _check("gan_loss", self.gan, f"one of {', '.join(GANS)}", self.gan in GANS)
        for name in (name for name in vars(self) if name != "gan"):
            _check_set(self, name, "0 or more", _is_weight)


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the random changes to labelled patches; every draw is uniform over ±strength unless said otherwise.

    Attributes:
        mirror: chance of a flip of the first axis, left–right.
        warp_share: chance that a patch is turned and scaled at all.
        rotation_degrees: about each axis.
        scale: of each axis, relative.
        brightness: added, in standard deviations of the brain.
        contrast: relative.
        gamma: exponent e^±gamma over the range −4..4.
        noise: standard deviation is drawn from 0..noise.
        bias: of a quadratic polynomial field's coefficients, relative.
        drop_modality: chance that a modality is taken away from a patch, labelled or not; one always stays.
    """

    mirror: float = 0.5
    warp_share: float = 0.7
    rotation_degrees: float = 25.0
    scale: float = 0.25
    brightness: float = 0.15
    contrast: float = 0.15
    gamma: float = 0.2
    noise: float = 0.15
    bias: float = 0.1
    drop_modality: float = 0.0

    def __post_init__(self):
        for name in vars(self):
            _check_set(self, name, "0 or more", _is_weight)
        for name in ("mirror", "warp_share"):
            _check_set(self, name, "within 0..1", lambda chance: chance <= 1)
        for name in ("scale", "contrast"):
            _check_set(self, name, "below 1", lambda strength: strength < 1)
        _check("drop_modality", self.drop_modality, "within 0..1, below 1", 0 <= self.drop_modality < 1)

    @property
    def may_lack_modality(self) -> bool:
        """Whether scans may lack a modality, in training and in prediction: only who learned that can do without."""
        return self.drop_modality > 0


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
            _check(name, getattr(self, name), "1 or more", getattr(self, name) >= 1)
        _check("patch", self.patch, "a multiple of 8", self.patch % 8 == 0)
        for name in ("warmup_steps", "patience"):
            _check(name, getattr(self, name), "0 or more", getattr(self, name) >= 0)
        _check_set(self, "optimizer", f"one of {', '.join(OPTIMIZERS)}", lambda name: name in OPTIMIZERS)
        _check_set(self, "clip_norm", "above 0", lambda norm: norm > 0)
        _check_set(self, "final_lr", "within 0..1", lambda share: 0 <= share <= 1)
        _check_set(self, "weight_decay", "0 or more", _is_weight)
        _check("lr", self.lr, "above 0", self.lr > 0)
        _check("ema_decay", self.ema_decay, "within 0..1, below 1", 0 <= self.ema_decay < 1)
        _check("schedule", self.schedule, f"one of {', '.join(SCHEDULES)}", self.schedule in SCHEDULES)
        _check_set(self, "unlabelled_share", "within 0..1", lambda share: 0 <= share <= 1)
        _check_set(self, "labels_first", "within 0..1, below 1", lambda share: 0 <= share < 1)
        _check("precision", self.precision, f"one of {', '.join(PRECISIONS)}", self.precision in PRECISIONS)
        _check("foreground", self.foreground, "within 0..1", 0 <= self.foreground <= 1)
        _check("seed", self.seed, "within 0..2³¹−1", 0 <= self.seed < 2**31)

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


@dataclass(frozen=True)
class Config:
    """All that repeats a run, but for the data."""

    model: str = "multi-stage"
    preparation: Preparation = field(default_factory=Preparation)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "Config":
        """Raises `TypeError` on a field that no config has, and on one that is missing: an older version had none, and
        its networks may be others."""
        parts = {f.name: f.default_factory for f in dataclasses.fields(cls) if f.name != "model"}
        for name, part in parts.items():
            if missing := {f.name for f in dataclasses.fields(part)} - set(values[name]):
                raise TypeError(f"{name} without {', '.join(sorted(missing))}")
        return cls(values["model"], **{name: part(**values[name]) for name, part in parts.items()})

    def __post_init__(self):
        _check("model", self.model, f"one of {', '.join(MODELS)}", self.model in MODELS)
        stages = f"outlines {self.network.outlines}, variants {self.network.variants}"
        _check("set", stages, "one of them at least", self.network.outlines or self.network.variants)
        # Below, a level that is computed in bfloat16 has two voxels along an axis (tf_msgan.models.blocks,
        # FLOAT32_LEVEL).
        shape = "×".join(map(str, self.patch))
        expected = "16 voxels or more along every axis for mixed_bfloat16: a larger --patch"
        _check("patch", shape, expected, self.training.precision != "mixed_bfloat16" or min(self.patch) >= 16)

    @property
    def patch(self) -> tuple[int, int, int]:
        """Voxels of a patch along i, j, k."""
        return self.preparation.block(self.training.patch, 8)

    def with_fields(self, assignments: list[str]) -> "Config":
        """Returns the config with fields changed, each by a text `PART.FIELD=VALUE`, such as `loss.prediction=0.2`.

        Raises:
            InputError: there is no such field, or its value is of another type.
        """
        changed = self
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            part, _, field_name = name.partition(".")
            fields = vars(getattr(changed, part)) if part in PARTS else {}
            if field_name not in fields:
                known = ", ".join(f"{p}.{f}" for p in PARTS for f in vars(getattr(self, p)))
                raise InputError("--set", assignment, f"PART.FIELD=VALUE with one of {known}")
            value = _read(assignment, text, fields[field_name])
            changed = dataclasses.replace(
                changed, **{part: dataclasses.replace(getattr(changed, part), **{field_name: value})}
            )
        return changed

    def with_training(self, **changes) -> "Config":
        return dataclasses.replace(self, training=dataclasses.replace(self.training, **changes))


# What `Config.with_fields` may change: scans are prepared as other options say.
PARTS = ("network", "loss", "augmentation", "training")


def _read(assignment, text, before):
    """The value that a text stands for, of the type of the value before."""
    kind = type(before)
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise InputError("--set", assignment, f"a value like {before}") from None


PRESETS = {
    # Minutes on two cores, on the embedded 2 mm phantoms.
    "demo": Config(training=TrainingConfig(epochs=8)),
    # Within half an hour on two cores, on real scans: what measured best (docs/decisions.md).
    "best": Config(training=TrainingConfig(epochs=30, steps_per_epoch=200)),
    # Khaled & Han.
    "paper": Config(
        network=NetworkConfig(coarse_width=8, discriminator_width=16, coarse_tissues=False, fused=True),
        loss=LossConfig(overlap=0.0),
        training=TrainingConfig(
            epochs=80,
            batch_size=30,
            unlabelled_share=1.0,
            labels_first=0.0,
            optimizer="adamw",
            lr=1e-4,
            final_lr=1.0,
        ),
    ),
}


def choose_preset(asked: str | None, data: str | None) -> str:
    """The name of the preset that is asked for, or of the one for the folder `data`, or for the embedded phantoms."""
    return asked or ("best" if data else "demo")
