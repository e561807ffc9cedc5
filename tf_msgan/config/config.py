"""The options of a run, checked against each other, and as JSON both ways."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tf_msgan.config.augmentation_config import Augmentation
from tf_msgan.config.loss_config import LossConfig
from tf_msgan.config.network_config import NetworkConfig
from tf_msgan.config.option import Option, check_value, declared_options, option
from tf_msgan.config.preparation import Preparation
from tf_msgan.config.schema import SCHEMA
from tf_msgan.config.training_config import TrainingConfig
from tf_msgan.errors import OptionError

MODELS = ("unet", "standard-gan", "one-stage", "multi-stage")
PARTS = (Preparation, NetworkConfig, LossConfig, Augmentation, TrainingConfig)


@dataclass(frozen=True)
class Config:
    """All that repeats a run, but for the data.

    Raises:
        OptionError: a field may not have its value, or two do not go together.
    """

    model: str = option("multi-stage", "what is trained", choices=MODELS, flag="--model")
    preparation: Preparation = field(default_factory=Preparation)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Returns what JSON holds of it: the fields by part."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], schema: int = SCHEMA) -> "Config":
        """Reads what `to_dict` gave, here or in an earlier version. A field that was added since has its default.

        Args:
            values: by name of a part and of a field.
            schema: of the file that held them. Before the first one a missing field meant an older version, whose
                networks may be others.

        Raises:
            KeyError: a part is missing.
            TypeError: a part is no JSON object, or a field is unknown, or missing without a schema.
            OptionError: a field may not have its value.
        """
        parts: dict[str, Any] = {}
        for part in PARTS:
            found = values[part.part]
            if not isinstance(found, Mapping):
                raise TypeError(f"{part.part} that is no JSON object")
            missing = {each.name for each in dataclasses.fields(part)} - set(found)
            if missing and schema == 0:
                raise TypeError(f"{part.part} without {', '.join(sorted(missing))}")
            parts[part.part] = part(**found)
        return cls(values["model"], **parts)

    def __post_init__(self) -> None:
        check_value("model", self.model, Config.model, declared_options(Config)["model"])
        if not (self.network.outlines or self.network.variants):
            raise OptionError("network.variants", "false, as network.outlines", "one of them at least")
        # Below, a level that is computed in bfloat16 has two voxels along an axis (tf_msgan.networks.blocks,
        # FLOAT32_LEVEL).
        if self.training.precision == "mixed_bfloat16" and min(self.patch) < 16:
            expected = "16 voxels or more along every axis for mixed_bfloat16: a larger patch"
            raise OptionError("training.patch", "×".join(map(str, self.patch)), expected)

    @property
    def has_adversarial_phase(self) -> bool:
        """Whether the model learns from unlabelled patches, too, after the supervised phase."""
        return self.model != "unet"

    @property
    def patch(self) -> tuple[int, int, int]:
        """Voxels of a patch along i, j, k."""
        return self.preparation.block(self.training.patch, 8)

    def value(self, name: str) -> Any:
        """Returns the value of the field that `name`, `PART.FIELD` or `model`, calls."""
        part, _, field_name = name.rpartition(".")
        return getattr(getattr(self, part) if part else self, field_name)

    def with_values(self, values: Mapping[str, Any]) -> "Config":
        """Returns the config with fields changed, each called `PART.FIELD`, or `model`.

        Raises:
            OptionError: a field may not have its value.
        """
        parts: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            part, _, field_name = name.rpartition(".")
            parts.setdefault(part, {})[field_name] = value
        changed = parts.pop("", {})
        changed |= {part: dataclasses.replace(getattr(self, part), **fields) for part, fields in parts.items()}
        return dataclasses.replace(self, **changed)

    def with_fields(self, assignments: Iterable[str]) -> "Config":
        """Returns the config with fields changed, each by a text `PART.FIELD=VALUE`, such as `loss.prediction=0.2`.

        Raises:
            OptionError: there is no such field, or its value is of another type.
        """
        known = settable_options()
        values: dict[str, Any] = {}
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            if name not in known:
                raise OptionError("set", assignment, f"PART.FIELD=VALUE with one of {', '.join(known)}")
            values[name] = _read(assignment, text, self.value(name))
        return self.with_values(values)

    def with_training(self, **changes: Any) -> "Config":
        """Returns the config with fields of its `training` changed."""
        return dataclasses.replace(self, training=dataclasses.replace(self.training, **changes))


def every_option() -> dict[str, Option]:
    """Returns what every field of a config says of itself, by the name `PART.FIELD`, or `model`."""
    in_parts = {f"{part.part}.{name}": each for part in PARTS for name, each in declared_options(part).items()}
    return {**declared_options(Config), **in_parts}


def settable_options() -> dict[str, Option]:
    """Returns those of `every_option` that `with_fields` may change: scans are prepared as other options say."""
    return {name: each for name, each in every_option().items() if "." in name and not name.startswith("preparation.")}


def _read(assignment: str, text: str, before: Any) -> Any:
    """The value that a text stands for, of the type of the value before."""
    kind = type(before)
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise OptionError("set", assignment, f"a value like {before}") from None
