"""Does the cells of a comparison, one after another, each once: what is done is kept in `cells/NAME.json`.

A training is a run of `tf_msgan.train` in `runs/NAME`; after a kill it is resumed.
"""

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.datasets.subject_digests import digest_label_map
from tf_msgan.errors import InputError
from tf_msgan.evaluation.metrics import Scores
from tf_msgan.evaluation.run_report import read_history
from tf_msgan.io.atomic_files import holds_something, write_json
from tf_msgan.io.digests import combine
from tf_msgan.progress import Progress
from tf_msgan.runs.machine import describe_machine
from tf_msgan.runs.run_record import read_run_record
from tuning.cells import Cell, split_of
from tuning.launch import Training
from tuning.plan import check_same, describe
from tuning.step_seconds import StepSeconds, TimedModels, epochs_within, measure_in_turns, seconds_of_steps

# What must not change, in a comparison's folder.
PLAN = "plan.json"
# What steps take, beside it.
STEP_SECONDS = "step-seconds.json"


class Outcome(TypedDict, total=False):
    """What came of a training, or of a reference, which has no more than the first four."""

    subjects: dict[str, Scores]
    mean: Scores
    volume_seconds: float
    machine: str
    cell: dict[str, Any]
    steps: int
    training_minutes: float
    validation_dice: float | None
    versions: dict[str, str]
    git: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """What all cells share.

    Attributes:
        folder: of the comparison.
        runs: folder of the runs, which are large.
        cohort, labels, split: data, name or file of its label table if not its own, and the roles of subjects.
        preset, settings: name of the config that the models start from, and what is changed of it.
        config: the result, prepared for the cohort.
        budget: "minutes" or "steps", and the `amount` of it that each training gets.
    """

    folder: Path
    runs: Path
    cohort: Cohort
    labels: str | None
    split: Split
    preset: str
    settings: tuple[str, ...]
    config: Config
    budget: str
    amount: float

    def facts(self) -> dict[str, Any]:
        """Returns what must not change while a comparison is being made."""
        shared = describe(self.cohort, self.split, self.preset, self.settings, self.config)
        # More labelled subjects come from among the unlabelled ones.
        spare = {subject_id: digest_label_map(self.cohort, subject_id) for subject_id in self.split.unlabeled}
        return {**shared, "spare_labels_sha256": combine(spare), "budget": self.budget, "amount": self.amount}


def begin(comparison: Comparison) -> None:
    """Writes `plan.json`, or checks that the one there is of this comparison.

    Raises:
        InputError: it is of another one, or the folder holds something else, which a report might replace.
    """
    path = comparison.folder / PLAN
    if path.exists():
        check_same(path, comparison.facts(), "the same comparison, or another --out")
        return
    if holds_something(comparison.folder):
        raise InputError(comparison.folder, f"something there already, and no {PLAN}", "a new folder, or a comparison")
    write_json(path, comparison.facts())


def read_outcome(comparison: Comparison, cell: Cell) -> Outcome | None:
    """Returns the outcome of a cell that is done, else None."""
    path = comparison.folder / "cells" / f"{cell.name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def do_cell(comparison: Comparison, cell: Cell) -> Outcome:
    """Trains and evaluates one cell, or goes on with what a kill left, and keeps and returns its outcome.

    Raises:
        InputError: the training failed; its log says why.
    """
    training = Training(
        folder=comparison.runs / cell.name,
        cohort=comparison.cohort,
        labels=comparison.labels,
        split=split_of(cell, comparison.cohort, comparison.split),
        preparation=comparison.config.preparation,
        model=cell.model,
        preset=comparison.preset,
        seed=cell.seed,
        settings=(*comparison.settings, *cell.settings, f"training.epochs={_epochs(comparison, cell)}"),
    )
    training.run()
    outcome = _outcome(cell, training.folder)
    write_json(comparison.folder / "cells" / f"{cell.name}.json", outcome)
    return outcome


def measure_steps(comparison: Comparison, cells: Iterable[Cell], progress: Progress) -> None:
    """Measures, for equal minutes, what steps take of each model that has not been measured: all before the first
    training, since another machine may go on with the later ones. The `progress` is told.

    Raises:
        InputError: others were measured, on another machine.
    """
    if comparison.budget == "steps":
        return
    known, cohort = read_step_seconds(comparison), comparison.cohort
    jobs: dict[str, Callable[[], StepSeconds]] = {}
    for cell in cells:
        if cell.model not in known["models"]:
            split = split_of(cell, cohort, comparison.split)
            jobs.setdefault(cell.model, partial(seconds_of_steps, cohort, split, _config(comparison, cell.model)))
    if not jobs:
        return
    machine, path = describe_machine(), comparison.folder / STEP_SECONDS
    if known["machine"] not in (None, machine):
        found = f"no steps of {', '.join(jobs)}, and those of others timed on {known['machine']}"
        raise InputError(path, found, f"that machine, not {machine}, or another --out: minutes are equal on one alone")
    write_json(path, {"machine": machine, "models": {**known["models"], **measure_in_turns(jobs, progress)}})


def read_step_seconds(comparison: Comparison) -> TimedModels:
    """Returns what `measure_steps` has measured."""
    path = comparison.folder / STEP_SECONDS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"machine": None, "models": {}}


def _config(comparison: Comparison, model: str) -> Config:
    return replace(comparison.config, model=model)


def _epochs(comparison: Comparison, cell: Cell) -> int:
    """As many as the budget has room for: the same for all seeds, numbers of labelled subjects and ablations."""
    training = comparison.config.training
    if comparison.budget == "steps":
        return max(round(comparison.amount / training.steps_per_epoch), 1)
    seconds = read_step_seconds(comparison)["models"][cell.model]
    return epochs_within(comparison.amount, _config(comparison, cell.model), seconds)


def _outcome(cell: Cell, run: Path) -> Outcome:
    evaluation, seconds = (
        json.loads((run / name).read_text(encoding="utf-8")) for name in ("evaluation.json", "seconds.json")
    )
    record, history = read_run_record(run), read_history(run / "history.csv")
    return {
        "cell": asdict(cell),
        "subjects": evaluation["subjects"],
        "mean": evaluation["mean"],
        "steps": len(history["epoch"]) * record.config["training"]["steps_per_epoch"],
        "training_minutes": sum(history["seconds"]) / 60,
        "volume_seconds": statistics.median(list(seconds.values())[1:] or seconds.values()),
        "validation_dice": max(history["val_dice"]) if "val_dice" in history else None,
        "machine": record.machine,
        "versions": record.versions,
        "git": record.git,
    }
