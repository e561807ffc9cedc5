"""Does the cells of a comparison, one after another, each once: what is done is kept in `cells/NAME.json`.

A training is a run of `tf_msgan.train` in `runs/NAME`; after a kill it is resumed.
"""

import json
import statistics
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.datasets.subject_digests import digest_label_map
from tf_msgan.errors import InputError
from tf_msgan.evaluation.run_report import read_history
from tf_msgan.io.atomic_files import holds_something, write_json
from tf_msgan.io.digests import combine
from tf_msgan.progress import Progress
from tf_msgan.runs.machine import describe_machine
from tf_msgan.runs.run_folder import read_run_config
from tuning.cells import Cell, split_of
from tuning.launch import Training
from tuning.plan import check_same, describe
from tuning.step_seconds import epochs_within, measure_in_turns, seconds_of_steps

PLAN, STEP_SECONDS = "plan.json", "step-seconds.json"


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

    def facts(self) -> dict:
        """What must not change while a comparison is being made."""
        shared = describe(self.cohort, self.split, self.preset, self.settings, self.config)
        # More labelled subjects come from among the unlabelled ones.
        spare = {id: digest_label_map(self.cohort, id) for id in self.split.unlabeled}
        return {**shared, "spare_labels_sha256": combine(spare), "budget": self.budget, "amount": self.amount}


def begin(comparison: Comparison):
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


def read_outcome(comparison: Comparison, cell: Cell) -> dict | None:
    path = comparison.folder / "cells" / f"{cell.name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def do_cell(comparison: Comparison, cell: Cell) -> dict:
    """Trains and evaluates one cell, or goes on with what a kill left, and keeps and returns its outcome.

    Raises:
        InputError: the training failed; its log says why.
    """
    run = comparison.runs / cell.name
    split = split_of(cell, comparison.cohort, comparison.split)
    epochs = _epochs(comparison, cell)
    settings = (*comparison.settings, *cell.settings, f"training.epochs={epochs}")
    data = (comparison.cohort, comparison.labels, split, comparison.config.preparation)
    Training(run, *data, cell.model, comparison.preset, cell.seed, settings).run()
    outcome = _outcome(cell, run)
    write_json(comparison.folder / "cells" / f"{cell.name}.json", outcome)
    return outcome


def measure_steps(comparison: Comparison, cells, progress: Progress):
    """Measures, for equal minutes, what steps take of each model that has not been measured: all before the first
    training, since another machine may go on with the later ones. The `progress` is told.

    Raises:
        InputError: others were measured, on another machine.
    """
    if comparison.budget == "steps":
        return
    known, cohort = read_step_seconds(comparison), comparison.cohort
    jobs = {}
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


def read_step_seconds(comparison: Comparison) -> dict:
    """The "machine", None if nothing was measured, and by name of the "models" what `seconds_of_steps` found."""
    path = comparison.folder / STEP_SECONDS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"machine": None, "models": {}}


def _config(comparison, model):
    return Config(**{**vars(comparison.config), "model": model})


def _epochs(comparison, cell):
    """As many as the budget has room for: the same for all seeds, numbers of labelled subjects and ablations."""
    training = comparison.config.training
    if comparison.budget == "steps":
        return max(round(comparison.amount / training.steps_per_epoch), 1)
    seconds = read_step_seconds(comparison)["models"][cell.model]
    return epochs_within(comparison.amount, _config(comparison, cell.model), seconds)


def _outcome(cell, run):
    evaluation, seconds = (
        json.loads((run / name).read_text(encoding="utf-8")) for name in ("evaluation.json", "seconds.json")
    )
    recorded, history = read_run_config(run), read_history(run / "history.csv")
    return {
        "cell": asdict(cell),
        "subjects": evaluation["subjects"],
        "mean": evaluation["mean"],
        "steps": len(history["epoch"]) * recorded["config"]["training"]["steps_per_epoch"],
        "training_minutes": sum(history["seconds"]) / 60,
        "volume_seconds": statistics.median(list(seconds.values())[1:] or seconds.values()),
        "validation_dice": max(history["val_dice"]) if "val_dice" in history else None,
        "machine": recorded["machine"],
        "versions": recorded["versions"],
        "git": recorded["git"],
    }
