"""A training run: from scans to a run folder with `config.json`, `history.csv`, `tensorboard/` and `model.keras`."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras

from tf_msgan.config import Config
from tf_msgan.data.cohort import Cohort, Scan, load_scan
from tf_msgan.data.pipeline import training_stream, validation_stream
from tf_msgan.data.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.training.callbacks import BestModel, EpochProgress, EpochTime
from tf_msgan.training.runtime import build_model

# Patches of a validation batch; it changes no figure.
VALIDATION_BATCH = 8


@dataclass(frozen=True)
class TrainingScans:
    """The scans that training sees, by role; `labelled` and `validation` have labels, `unlabelled` have none."""

    labelled: list[Scan]
    unlabelled: list[Scan]
    validation: list[Scan]


def load_training_scans(cohort: Cohort, split: Split) -> TrainingScans:
    """Reads the scans of every role but the test.

    Raises:
        InputError: a file is wrong.
    """
    return TrainingScans(
        labelled=[load_scan(cohort, id, with_labels=True) for id in split.train],
        unlabelled=[load_scan(cohort, id, with_labels=False) for id in split.unlabeled],
        validation=[load_scan(cohort, id, with_labels=True) for id in split.validation],
    )


def train_run(run: Path, scans: TrainingScans, modalities, tissues, config: Config, bars: bool):
    """Trains with `model.fit`, and leaves the best model of all epochs in `run/model.keras`.

    Args:
        run: an existing folder.
        scans: what to learn from.
        modalities, tissues: names of the channels, and of the classes 1, 2, ….
        config: of the run.
        bars: whether to draw progress bars.
    """
    training = config.training
    model = build_model(len(modalities), tissues, config)
    model.fit(
        training_stream(
            scans.labelled,
            scans.unlabelled,
            training.patch,
            training.batch_size,
            training.foreground,
            config.augmentation,
            training.seed,
        ),
        epochs=training.epochs,
        steps_per_epoch=training.steps_per_epoch,
        validation_data=validation_stream(scans.validation, training.patch, VALIDATION_BATCH),
        shuffle=False,
        verbose=0,
        callbacks=[
            EpochTime(),
            EpochProgress(bars),
            keras.callbacks.CSVLogger(run / "history.csv"),
            keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False),
            BestModel(run / "model.keras"),
        ],
    )


def load_model(run: Path):
    """Returns the trained model of a run folder.

    Raises:
        InputError: there is none.
    """
    path = run / "model.keras"
    if not path.is_file():
        raise InputError(path, "no such file", "the model of a finished tf_msgan.train")
    try:
        return keras.saving.load_model(path)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(path, f"a file that Keras cannot read ({error})", "a model saved by tf_msgan.train") from None
