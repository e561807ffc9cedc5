"""Training from Python: `tf_msgan.fit`."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tf_msgan.config import PRESETS, Config, choose_preset
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.evaluation.evaluate_run import evaluate_and_report
from tf_msgan.inference.predictor import Predictor, load
from tf_msgan.phantoms.phantom_cohort import embedded_cohort
from tf_msgan.progress import Progress, silent
from tf_msgan.runs.plan_run import plan_run
from tf_msgan.runs.run_folder import begin_run, check_run_folder, describe_run
from tf_msgan.training.train_run import load_training_scans, train_run


def fit(
    data: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    layout: str | None = None,
    labels: str | None = None,
    modalities: Sequence[str] | None = None,
    split: str | None = None,
    labeled: int | None = None,
    preparation: dict[str, Any] | None = None,
    config: Config | None = None,
    model: str | None = None,
    overwrite: bool = False,
    max_minutes: float | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress = silent,
    **training: Any,
) -> Predictor:
    """Trains, evaluates and reports as `tf_msgan.train` does.

    Args:
        data: folder of scans; None for the embedded phantoms.
        out: folder of the run; it must be new or empty.
        layout, labels, modalities: how the folder is read (`tf_msgan.datasets.layouts.read_cohort`).
        split, labeled: the roles of its subjects (`tf_msgan.datasets.splits.read_split`).
        preparation: the fields of a `tf_msgan.config.Preparation` that are not to be chosen by the scans.
        config: what to start from; by default the preset "best", or "demo" for the phantoms.
        model: one of `tf_msgan.config.MODELS`, in place of the config's.
        overwrite: whether an earlier run in the folder may be replaced.
        max_minutes: of training.
        callbacks: of Keras, for `model.fit`.
        progress: told of what is done before and after the training.
        training: fields of a `tf_msgan.config.TrainingConfig`, such as `epochs=20`, in place of the config's.

    Returns:
        The trained model, of the best epoch.

    Raises:
        TypeError: a field of `training` or of `preparation` is unknown.
        InputError: an option, a scan or the folder is wrong, or memory does not suffice.
    """
    run, root = Path(out), data if data is None else Path(data)
    config = config or PRESETS[choose_preset(asked=None, data=root)]
    config = dataclasses.replace(config, model=model or config.model).with_training(**training)
    check_run_folder(run, overwrite)
    cohort = read_cohort(root or embedded_cohort(progress), layout, labels, modalities)
    roles, config = plan_run(cohort, config, split=split, labeled=labeled, progress=progress, **(preparation or {}))
    scans = load_training_scans(cohort, roles, config, progress=progress)
    begin_run(run, describe_run(cohort, roles, config, command=[]), overwrite)
    train_run(
        run,
        scans,
        modalities=cohort.modalities,
        tissues=cohort.labels.tissues,
        config=config,
        callbacks=callbacks,
        max_minutes=max_minutes,
    )
    if roles.test:
        evaluate_and_report(run, cohort, roles, progress)
    return load(run)
