"""What a comparison consists of: one training for each model, number of labelled subjects, seed and variation."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split, check_split
from tf_msgan.errors import InputError

# What each ablation takes away from the multi-stage model, as options of `tf_msgan.train --set`.
ABLATIONS: dict[str, tuple[str, ...]] = {
    # The labelled subjects stand in for the unlabelled ones.
    "unlabelled data": (),
    "stage 1": ("network.outlines=false",),
    "coarse tissues": ("network.coarse_tissues=false",),
    "stage 2": ("network.variants=false",),
    "prediction term": ("loss.prediction=0",),
    "feature matching": ("loss.feature_matching=0",),
    "coarse perturbation": ("loss.perturbation=0",),
    "EMA": ("training.ema_decay=0",),
}


@dataclass(frozen=True)
class Cell:
    """One training. `without` is a key of `ABLATIONS`, or empty."""

    model: str
    labeled: int
    seed: int
    without: str = ""

    @property
    def name(self) -> str:
        without = f"-without-{self.without.lower().replace(' ', '-')}" if self.without else ""
        return f"{self.model}-{self.labeled}-labelled{without}-seed-{self.seed}"

    @property
    def settings(self) -> tuple[str, ...]:
        return ABLATIONS[self.without] if self.without else ()


def parts_of(config: Config) -> list[str]:
    """Returns the keys of `ABLATIONS` that take something away from a config."""
    return [part for part, settings in ABLATIONS.items() if not settings or config.with_fields(settings) != config]


def plan_cells(
    models: Sequence[str],
    labeled: int,
    shots: Iterable[int],
    seeds: int,
    parts: Iterable[str] = (),
    ablated_seeds: float = math.inf,
) -> list[Cell]:
    """Returns all cells, those of one seed together: every model with `labeled` subjects, the first and the last model
    with each number of `shots`, and, of the first `ablated_seeds` seeds, the multi-stage model without each of the
    `parts`.
    """
    cells: list[Cell] = []
    for seed in range(seeds):
        cells += [Cell(model, labeled, seed) for model in models]
        ends = dict.fromkeys((models[0], models[-1]))
        cells += [Cell(model, shot, seed) for shot in shots if shot != labeled for model in ends]
        cells += [Cell("multi-stage", labeled, seed, part) for part in parts if seed < ablated_seeds]
    return list(dict.fromkeys(cells))


def split_of(cell: Cell, cohort: Cohort, split: Split) -> Split:
    """Returns the split of a comparison with as many labelled subjects as the cell has: the first of its own, or its
    own and the first of the unlabelled ones that have labels. Validation and test stay; who is left out plays no role.

    Raises:
        InputError: there are not so many.
    """
    spare = [subject_id for subject_id in split.unlabeled if cohort.subjects[subject_id].label]
    known = [*split.train, *spare]
    if not 1 <= cell.labeled <= len(known):
        raise InputError(
            "--labeled or --shots",
            cell.labeled,
            f"1 to {len(known)}: so many have labels, and are for neither validation nor test",
        )
    train = tuple(known[: cell.labeled])
    unlabeled = tuple(subject_id for subject_id in split.unlabeled if subject_id not in train)
    if cell.without == "unlabelled data":
        unlabeled = ()
    changed = dataclasses.replace(split, train=train, unlabeled=unlabeled)
    check_split(changed, cell.name, cohort)
    return changed
