"""What a study varies: the paper's three factors one at a time, or several values jointly."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tf_msgan.config import Config
from tf_msgan.errors import OptionError

# The paper's Tables IV to VI: each factor's field of a config, and its values. While one is varied, the others stay at
# what `PRESETS["paper"]` has, the paper's best.
FACTORS: dict[str, tuple[str, Sequence[float]]] = {
    "epochs": ("training.epochs", (20, 40, 60, 80)),
    "lr": ("training.lr", (1e-1, 1e-2, 1e-3, 1e-4)),
    "batch_size": ("training.batch_size", (10, 20, 30, 40)),
}
PAPERS_BEST = {"epochs": 80, "lr": 1e-4, "batch_size": 30}
# Voxels a side that a scaled patch has at least; smaller ones leave the deepest levels hardly a voxel.
LEAST_PATCH = 16


@dataclass(frozen=True)
class Row:
    """A row of a factor's table: a factor's value, and the seed; `trial` names its training, which rows that ask for
    the same share."""

    factor: str
    value: float
    seed: int
    trial: str

    @property
    def name(self) -> str:
        return _name(self.factor, self.value, self.seed)

    @property
    def begins_trial(self) -> bool:
        """Whether it is the first row of its training."""
        return self.name == self.trial

    @property
    def values(self) -> dict[str, float]:
        """The factor's value by field of a config."""
        return {FACTORS[self.factor][0]: self.value}


def plan_rows(factors: Iterable[str], texts: list[str] | None, seeds: int, config: Config) -> list[Row]:
    """Returns all rows, those of one seed together.

    Args:
        factors: keys of `FACTORS`.
        texts: values in place of the paper's.
        seeds: how many, from 0.
        config: that the values are put into.

    Raises:
        InputError: a value stands twice, or cannot be one of its factor.
    """
    values = {factor: _values(factor, texts, config) for factor in factors}
    rows = []
    trials: dict[tuple[int, Config], str] = {}
    for seed, factor in itertools.product(range(seeds), factors):
        for value in values[factor]:
            # The point where all factors are at the paper's best is in each table.
            asked = (seed, config.with_fields([f"{FACTORS[factor][0]}={value}"]))
            rows.append(Row(factor, value, seed, trials.setdefault(asked, _name(factor, value, seed))))
    return rows


def _name(factor: str, value: float, seed: int) -> str:
    return f"{factor}-{value:g}-seed-{seed}"


def _values(factor: str, texts: list[str] | None, config: Config) -> Sequence[float]:
    field, values = FACTORS[factor]
    if not texts:
        return values
    part, _, name = field.partition(".")
    values = [getattr(getattr(config.with_fields([f"{field}={text}"]), part), name) for text in texts]
    if len(set(values)) < len(values):
        raise OptionError("values", " ".join(texts), "each once")
    return values


def scale_settings(config: Config, scale: float) -> tuple[str, ...]:
    """Returns what scales a study: `scale` times the steps, those of warm-up and ramp included, and patches of `scale`
    times the voxels, their side rounded down to a multiple of 8 and at least `LEAST_PATCH`. Epochs, learning rates and
    batch sizes stay what they are.

    Raises:
        InputError: `scale` is not within 0..1.
    """
    if not 0 < scale <= 1:
        raise OptionError("scale", scale, "above 0, at most 1")
    if scale == 1:
        return ()
    training = config.training
    side = math.floor(training.patch * scale ** (1 / 3) / 8) * 8
    return (
        f"training.steps_per_epoch={max(round(training.steps_per_epoch * scale), 1)}",
        f"training.warmup_steps={round(training.warmup_steps * scale)}",
        f"loss.prediction_ramp_steps={round(config.loss.prediction_ramp_steps * scale)}",
        f"training.patch={min(max(side, LEAST_PATCH), training.patch)}",
    )
