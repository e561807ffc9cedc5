"""The trials of a study: each is one training, done once, and what came of it is kept in `trials/NAME.json`."""

import hashlib
import json
import logging
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.evaluation.run_report import read_history
from tf_msgan.io.atomic_files import VISIBLE, holds_something, write_json
from tf_msgan.runs.run_record import read_run_record
from tf_msgan.training.callbacks import DIVERGED
from tuning.factors import Row
from tuning.launch import FailedTraining, Training
from tuning.plan import check_same, describe
from tuning.search_space import draw_values

LOGGER = logging.getLogger(__name__)

# Of an outcome; the best epoch's mean over the tissues, 0..1.
OBJECTIVE = "val_dice"
# File of a study's folder.
PLAN = "study.json"


@dataclass(frozen=True)
class Study:
    """What all trials share.

    Attributes:
        folder: of the study; its `runs/` are large.
        cohort, labels, split: data, name or file of its label table if not its own, and the roles of subjects.
        preset, settings: name of the config that the trials start from, and what is changed of it.
        config: the result, prepared for the cohort.
        plan: what is varied and how, for `study.json`.
    """

    folder: Path
    cohort: Cohort
    labels: str | None
    split: Split
    preset: str
    settings: tuple[str, ...]
    config: Config
    plan: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """Returns what must not change while a study is being made."""
        return {**self.plan, **describe(self.cohort, self.split, self.preset, self.settings, self.config)}

    def read_outcome(self, name: str) -> dict[str, Any] | None:
        """Reads the outcome of a trial that has ended; None of another."""
        path = self._outcome_path(name)
        return _read(path) if path.exists() else None

    def read_outcomes(self) -> list[dict[str, Any]]:
        """Reads the outcomes of all trials that have ended, in the order of their names."""
        return [_read(path) for path in sorted(self._outcome_path("any").parent.glob(f"{VISIBLE}*.json"))]

    def forget_failures(self) -> None:
        """Forgets trials that failed, so that they are tried again, save those that diverged: they would again."""
        for outcome in self.read_outcomes():
            if "error" in outcome and DIVERGED not in outcome["error"]:
                self._outcome_path(outcome["name"]).unlink()

    def write_outcome(self, outcome: dict[str, Any]) -> None:
        write_json(self._outcome_path(outcome["name"]), outcome)

    def _outcome_path(self, name: str) -> Path:
        return self.folder / "trials" / f"{name}.json"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def begin(study: Study, resume: bool, overwrite: bool) -> None:
    """Writes `study.json`, or goes on with the study that is there.

    Raises:
        InputError: there is one, or another one than is to be gone on with.
    """
    path = study.folder / PLAN
    if resume:
        if not path.exists():
            raise InputError(path, "no such file", "the folder of a study that has begun")
        check_same(path, study.facts(), "the study as it began, or another --out")
        return
    if holds_something(study.folder):
        if not overwrite:
            raise InputError(study.folder, "something there already", "a new folder, --resume or --overwrite")
        if not path.exists():
            raise InputError(study.folder, f"no {PLAN} in it", "an earlier study: --overwrite deletes nothing else")
        # The plan is replaced last, so that a kill leaves a folder that may be overwritten again.
        for name in ("runs", "keras_tuner", "trials", "tensorboard", "figures"):
            shutil.rmtree(study.folder / name, ignore_errors=True)
        for name in ("report.html", "results.json"):
            (study.folder / name).unlink(missing_ok=True)
    write_json(path, study.facts())


# What KerasTuner takes for a model: a training's name and seed, and its values by field of a config.
Trial = tuple[str, int, dict[str, Any]]


class TrainingTrial(keras_tuner.HyperModel):
    """What KerasTuner tunes: its "model" is a `Trial`."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study

    def fit(self, hp: keras_tuner.HyperParameters, model: Trial) -> dict[str, float]:
        """Trains, unless that is done, and returns the objective: NaN, by which KerasTuner knows a failed trial, if the
        training fails."""
        name, seed, values = model
        outcome = self.study.read_outcome(name)
        if outcome is None:
            LOGGER.info("training %s", name)
            outcome = train(self.study, name, seed, values)
            self.study.write_outcome(outcome)
            LOGGER.info("%s: %s", name, outcome.get("error") or f"validation Dice {outcome[OBJECTIVE]:.4f}")
        return {OBJECTIVE: outcome.get(OBJECTIVE, math.nan)}


class TableTrial(TrainingTrial):
    """A row of a table; each begins a trial."""

    def __init__(self, study: Study, rows: list[Row]) -> None:
        super().__init__(study)
        self.rows = rows

    def build(self, hp: keras_tuner.HyperParameters) -> Trial:
        row = self.rows[hp.Int("row", 0, len(self.rows) - 1)]
        return row.trial, row.seed, row.values


class SearchTrial(TrainingTrial):
    """Values of a joint search, with seed 0. Hyperband's short trials are not gone on with: the learning rate's course
    depends on the number of epochs."""

    def build(self, hp: keras_tuner.HyperParameters) -> Trial:
        values = draw_values(hp, self.study.config.model)
        if "tuner/epochs" in hp.values:
            values["training.epochs"] = hp.values["tuner/epochs"]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12], 0, values


def train(study: Study, name: str, seed: int, values: dict[str, Any]) -> dict[str, Any]:
    """Does one training. Returns its outcome: with an "error", or with what its run found."""
    run = study.folder / "runs" / name
    training = Training(
        folder=run,
        cohort=study.cohort,
        labels=study.labels,
        split=study.split,
        preparation=study.config.preparation,
        model=study.config.model,
        preset=study.preset,
        seed=seed,
        settings=(*study.settings, *(f"{field}={value}" for field, value in values.items())),
    )
    facts = {"name": name, "seed": seed, "values": values}
    try:
        training.run()
    except FailedTraining as error:
        return {**facts, "error": str(error)}
    record, history = read_run_record(run), read_history(run / "history.csv")
    evaluation = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    return {
        **facts,
        OBJECTIVE: max(history[OBJECTIVE]),
        "curve": history[OBJECTIVE],
        "subjects": evaluation["subjects"],
        "minutes": sum(history["seconds"]) / 60,
        "machine": record.machine,
        "versions": record.versions,
        "git": record.git,
    }
