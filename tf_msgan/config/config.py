"""The options of a run, checked against each other, and as JSON both ways."""

import dataclasses
from dataclasses import dataclass, field

from tf_msgan.config.augmentation_config import Augmentation
from tf_msgan.config.checks import check_option
from tf_msgan.config.loss_config import LossConfig
from tf_msgan.config.network_config import NetworkConfig
from tf_msgan.config.preparation import Preparation
from tf_msgan.config.schema import SCHEMA
from tf_msgan.config.training_config import TrainingConfig
from tf_msgan.errors import InputError

MODELS = ("unet", "standard-gan", "one-stage", "multi-stage")
# What `Config.with_fields` may change: scans are prepared as other options say.
PARTS = ("network", "loss", "augmentation", "training")


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
    def from_dict(cls, values: dict, schema: int = SCHEMA) -> "Config":
        """Reads what `to_dict` gave, here or in an earlier version. A field that was added since has its default.

        Args:
            values: by name of a part and of a field.
            schema: of the file that held them. Before the first one a missing field meant an older version, whose
                networks may be others.

        Raises:
            KeyError: a part is missing.
            TypeError: a field is unknown, or missing without a schema.
        """
        parts = {f.name: f.default_factory for f in dataclasses.fields(cls) if f.name != "model"}
        for name, part in parts.items():
            missing = {f.name for f in dataclasses.fields(part)} - set(values[name])
            if missing and schema == 0:
                raise TypeError(f"{name} without {', '.join(sorted(missing))}")
        return cls(values["model"], **{name: part(**values[name]) for name, part in parts.items()})

    def __post_init__(self):
        check_option("model", self.model, f"one of {', '.join(MODELS)}", self.model in MODELS)
        stages = f"outlines {self.network.outlines}, variants {self.network.variants}"
        check_option("set", stages, "one of them at least", self.network.outlines or self.network.variants)
        # Below, a level that is computed in bfloat16 has two voxels along an axis (tf_msgan.networks.blocks,
        # FLOAT32_LEVEL).
        shape = "×".join(map(str, self.patch))
        expected = "16 voxels or more along every axis for mixed_bfloat16: a larger --patch"
        check_option("patch", shape, expected, self.training.precision != "mixed_bfloat16" or min(self.patch) >= 16)

    @property
    def has_adversarial_phase(self) -> bool:
        """Whether the model learns from unlabelled patches, too, after the supervised phase."""
        return self.model != "unet"

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


def _read(assignment, text, before):
    """The value that a text stands for, of the type of the value before."""
    kind = type(before)
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise InputError("--set", assignment, f"a value like {before}") from None
