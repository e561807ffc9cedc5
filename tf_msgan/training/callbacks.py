"""What happens between steps and between epochs."""

import csv
import io
import logging
import math
import time
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np

from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import atomic_write, write_text
from tf_msgan.models.make_model import make_model
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.runs.model_file import MODEL
from tf_msgan.training.checkpoint import Checkpoint, RunState, checkpoint_folder, write_checkpoint
from tf_msgan.training.stopping import reason_to_stop

LOGGER = logging.getLogger(__name__)

# What is said of a run that diverges.
DIVERGED = "a lower --lr may help"


class EpochFacts(keras.callbacks.Callback):
    """Adds the learning rate and the epoch's `seconds`, validation included, to its logs."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begin = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["lr"] = float(self.model.optimizer.learning_rate.numpy())
        logs["seconds"] = time.monotonic() - self.begin


class StopAtNonFinite(keras.callbacks.Callback):
    """Raises `InputError` after a step with a loss that is not finite, or an epoch that leaves such a weight, before
    anything of it is saved."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for name in (term for term in self.model.loss_terms if term in logs):
            value = float(logs[name])
            if not math.isfinite(value):
                self._stop(f"step {batch + 1}", f"{name} = {value}", "a finite loss")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, variable in {**self.model.model_variables(), **self.model.optimizer_variables()}.items():
            if not np.isfinite(variable.numpy()).all():
                self._stop("its end", f"{name} with a value that is not finite", "finite weights")

    def _stop(self, where: str, found: str, expected: str) -> NoReturn:
        kept = f"the checkpoint of epoch {self.epoch} stands" if self.epoch else "no epoch was finished"
        raise InputError(f"{self.run}: epoch {self.epoch + 1}, {where}", found, f"{expected} ({DIVERGED}); {kept}")


class KeepRun(keras.callbacks.Callback):
    """Keeps the run: its state, and on disk checkpoint, best model and history.

    The checkpoint goes first. What the others hold is in it too, so that `restore` makes them whole after a kill
    between the writes.

    Args:
        run: its folder.
        writes: whether this process writes to it; of several workers one does.
    """

    def __init__(self, run: Path, writes: bool) -> None:
        super().__init__()
        self.run = run
        self.writes = writes
        self.state = RunState()
        self.best: dict[str, np.ndarray] = {}
        self.copy: SegmentationModel | None = None

    def restore(self, model: SegmentationModel, checkpoint: Checkpoint) -> None:
        """Puts `model` where the checkpoint stands, and writes the best model and the history again.

        Raises:
            InputError: the checkpoint is of another model.
        """
        of_another = InputError(
            checkpoint_folder(self.run), "variables of another model", "those of the run's config.json"
        )
        try:
            checkpoint = checkpoint.migrated(model.numbered_paths())
        except KeyError:
            raise of_another from None
        variables = {**model.model_variables(), **model.optimizer_variables()}
        if {n: v.shape for n, v in variables.items()} != {n: v.shape for n, v in checkpoint.variables.items()}:
            raise of_another
        for name, variable in variables.items():
            variable.assign(checkpoint.variables[name])
        self.state, self.best = checkpoint.state, checkpoint.best
        if self.writes:
            self._write_best(model)
            self._write_history()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.state.history.append({"epoch": epoch, **{name: float(value) for name, value in logs.items()}})
        # Without validation subjects the last epoch is the best.
        dice = float(logs.get("val_dice", 0))
        better = "val_dice" not in logs or dice > self.state.best_dice
        if better:
            self.state.best_epoch, self.state.best_dice = epoch, dice
        if not self.writes:
            return
        values = {name: variable.numpy() for name, variable in self.model.model_variables().items()}
        if better:
            self.best = values
        slots = {name: variable.numpy() for name, variable in self.model.optimizer_variables().items()}
        write_checkpoint(self.run, Checkpoint(self.state, variables={**values, **slots}, best=self.best))
        if better:
            self._write_best(self.model)
        self._write_history()

    def _write_best(self, model: SegmentationModel) -> None:
        """Writes a float32 rebuild without optimisers: whoever uses it needs neither, whatever it was trained with."""
        if self.copy is None:
            config = model.config.with_training(precision="float32")
            self.copy = make_model(model.modalities, model.tissues, config)
        for name, variable in self.copy.model_variables().items():
            variable.assign(self.best[name])
        with atomic_write(self.run / MODEL) as temporary:
            self.copy.save(temporary)

    def _write_history(self) -> None:
        text = io.StringIO(newline="")
        # Some terms come with the adversarial phase only; the last row has them, if any has.
        columns = dict.fromkeys(name for row in reversed(self.state.history) for name in row)
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.state.history)
        write_text(self.run / "history.csv", text.getvalue())


class StopEarly(keras.callbacks.Callback):
    """Ends the training where `reason_to_stop` says, and logs why."""

    def __init__(self, state: RunState, max_minutes: float | None) -> None:
        super().__init__()
        self.state = state
        self.max_minutes = max_minutes

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        training = self.model.config.training
        reason = reason_to_stop(self.state, training, self.max_minutes)
        if reason:
            self.model.stop_training = True
            if self.state.epoch < training.epochs:
                LOGGER.info("stopping: %s", reason)
