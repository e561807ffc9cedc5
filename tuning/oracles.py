"""Who hands out the trials of a study: a table, or one of KerasTuner's searches."""

import os
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

from tuning.factors import Row
from tuning.trials import OBJECTIVE, SearchTrial, Study, TableTrial, TrainingTrial


class TableOracle(keras_tuner.Oracle):
    """Hands out the rows of a table, trial n row n. (`GridSearch` raises KeyError after a kill in mid-trial:
    keras-tuner issue 1055.)"""

    def __init__(self, rows: int) -> None:
        super().__init__(_objective(), max_trials=rows, max_consecutive_failed_trials=rows + 1)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        return {"status": "RUNNING", "values": {"row": int(trial_id)}}


def make_search(kind: str, max_trials: int, epochs: int) -> keras_tuner.Oracle:
    """Returns one of KerasTuner's searches; Hyperband's trials are as many as its brackets up to `epochs` have, at most
    `max_trials`."""
    # A failed trial is recorded, and the others go on.
    options = {"objective": _objective(), "seed": 1, "max_consecutive_failed_trials": max_trials + 1}
    if kind == "hyperband":
        oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=epochs, **options)
        oracle.max_trials = max_trials
        return oracle
    kinds = {
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        "random": keras_tuner.oracles.RandomSearchOracle,
    }
    return kinds[kind](max_trials=max_trials, **options)


class StudyTuner(BaseTuner):
    """Runs what an oracle hands out."""

    def run_trial(self, trial: Trial, **_: Any) -> dict[str, float]:
        try:
            return self.hypermodel.fit(trial.hyperparameters, self.hypermodel.build(trial.hyperparameters))
        except Exception as error:
            # KerasTuner would take a full disk for a bad trial.
            raise keras_tuner.errors.FatalError from error


def search(study: Study, rows: list[Row] | None, kind: str | None, max_trials: int) -> None:
    """Does the trials of a study: the `rows` of a table, or those of a search of one `kind`.

    KerasTuner's state is not gone on with. A table hands out its rows again, a search with one worker proposes the same
    again, and trials that are done answer at once.
    """
    oracle: keras_tuner.Oracle
    trials: TrainingTrial
    if rows is None:
        assert kind is not None
        oracle = make_search(kind, max_trials, study.config.training.epochs)
        trials = SearchTrial(study)
    else:
        firsts = [row for row in rows if row.begins_trial]
        oracle = TableOracle(len(firsts))
        trials = TableTrial(study, firsts)
    name = os.environ.get("KERASTUNER_TUNER_ID", "alone")
    tuner = StudyTuner(oracle, trials, directory=study.folder / "keras_tuner", project_name=name, overwrite=True)
    try:
        tuner.search(verbose=0)
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ from None


def _objective() -> keras_tuner.Objective:
    return keras_tuner.Objective(OBJECTIVE, "max")
