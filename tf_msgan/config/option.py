"""How the options of a run are declared: once, as fields of dataclasses, with their help and what they may be."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from tf_msgan.errors import OptionError
from tf_msgan.records import NAMES, is_of_type

T = TypeVar("T")


@dataclass(frozen=True)
class Bounds:
    """What a value may be: in words, and as a test."""

    words: str
    hold: Callable[[Any], bool]


COUNT = Bounds("1 or more", lambda n: n >= 1)
COUNT_OR_NONE = Bounds("0 or more", lambda n: n >= 0)
ABOVE_0 = Bounds("above 0", lambda x: x > 0)
WEIGHT = Bounds("0 or more", lambda x: math.isfinite(x) and x >= 0)
STRENGTH = Bounds("0 or more, below 1", lambda x: 0 <= x < 1)
SHARE = Bounds("within 0..1", lambda x: 0 <= x <= 1)
SHARE_BELOW_1 = Bounds("within 0..1, below 1", lambda x: 0 <= x < 1)

# What a value of a type is called.
TYPES = {**NAMES, str: "a name", tuple: "a list"}


@dataclass(frozen=True)
class Option:
    """What a field of a config says of itself.

    Attributes:
        help: what it is, as an option's help says it.
        choices: what it may be, if there are names for it.
        bounds: what numbers it may be.
        flag: how commands call it, if it has an option of its own beside `--set PART.FIELD=VALUE`.
        group: of options in a command's help.
        metavar: what its value is called there.
        chosen: what chooses it, if it is not asked for; by default the preset.
    """

    help: str
    choices: tuple[str, ...] = ()
    bounds: Bounds | None = None
    flag: str | None = None
    group: str = "training"
    metavar: str | None = None
    chosen: str = ""

    @property
    def expected(self) -> str:
        """What it may be, in words; empty if any value of its type is right."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return self.bounds.words if self.bounds else ""

    def allows(self, value: Any) -> bool:
        """Says whether `value`, of the right type, is one it may be."""
        return (not self.choices or value in self.choices) and (self.bounds is None or self.bounds.hold(value))


def option(default: T, help_text: str, **facts: Any) -> T:
    """Declares a field of a config; `facts` are attributes of `Option`."""
    declared: T = field(default=default, metadata={"option": Option(help_text, **facts)})
    return declared


class Options:
    """A frozen dataclass of fields that `option` declares; `part` is what a config calls it.

    Raises:
        OptionError: a value is of another type than its default, or is not one it may be.
    """

    part: ClassVar[str]

    def __init_subclass__(cls, part: str) -> None:
        cls.part = part

    def __post_init__(self) -> None:
        for name, declared in declared_options(type(self)).items():
            check_value(f"{self.part}.{name}", getattr(self, name), getattr(type(self), name), declared)


def declared_options(part: type) -> dict[str, Option]:
    """Returns what the fields of a dataclass say of themselves, by name."""
    return {each.name: each.metadata["option"] for each in dataclasses.fields(part) if "option" in each.metadata}


def check_value(name: str, value: Any, default: Any, declared: Option) -> None:
    """Refuses a value that an option may not have.

    Raises:
        OptionError: it is of another type than `default`, or `declared` does not allow it.
    """
    if not is_of_type(value, type(default)):
        raise OptionError(name, repr(value), TYPES[type(default)])
    if not declared.allows(value):
        raise OptionError(name, value, declared.expected)
