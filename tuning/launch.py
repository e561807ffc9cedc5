"""Runs one training of a study or a comparison as `tf_msgan.train`, in a process of its own: what it does to memory,
and how it fails, is its own affair."""

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tf_msgan.config import Preparation
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import write_json


class FailedTraining(InputError):
    """A training that did not end well."""


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        folder: of the run; beside it go FOLDER.json, its split, and FOLDER.log.
        cohort, split: data, and the roles of subjects.
        labels, model, preset, seed: as of `tf_msgan.train`.
        preparation: what is done to the scans; the spacing is the training's own.
        settings: texts `PART.FIELD=VALUE`, what is changed of the preset.
    """

    folder: Path
    cohort: Cohort
    labels: str | None
    split: Split
    preparation: Preparation
    model: str
    preset: str
    seed: int
    settings: tuple[str, ...]

    def run(self) -> None:
        """Trains and evaluates, or goes on with what a kill left.

        Raises:
            FailedTraining: it failed; the text has its log's `complaint`.
            InputError: another process is at it.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        split_path, log_path = (self.folder.with_name(f"{self.folder.name}.{suffix}") for suffix in ("json", "log"))
        with open(log_path, "a", encoding="utf-8") as log:
            try:
                # The training holds it too, as long as it lives.
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(self.folder, "another process that trains there", "one at a time") from None
            write_json(split_path, self.split.to_dict())
            # An earlier attempt may have written there.
            start = log.tell()
            status = subprocess.run(self._command(split_path), stdout=log, stderr=subprocess.STDOUT).returncode
        if status:
            said = complaint(log_path.read_bytes()[start:].decode("utf-8", errors="replace"))
            raise FailedTraining(log_path, f"exit status {status} after {said!r}", "a training that ends well")

    def _command(self, split_path: Path) -> list[str]:
        begun = any((self.folder / "checkpoints").glob("epoch-*.npz"))
        parts: list[object] = [sys.executable, "-m", "tuning.die_with_parent", os.getpid()]
        parts += [sys.executable, "-m", "tf_msgan.train", "--data", self.cohort.root, "--layout", self.cohort.layout]
        parts += ["--modalities", *self.cohort.modalities]
        if self.labels:
            parts += ["--labels", self.labels]
        parts += ["--crop", self.preparation.crop, "--normalise", self.preparation.normalise]
        parts += ["--resample", self.preparation.resample]
        if self.preparation.n4:
            parts += ["--n4"]
        parts += ["--split", split_path, "--model", self.model, "--preset", self.preset, "--seed", self.seed]
        parts += ["--no-progress", "--out", self.folder, "--resume" if begun else "--overwrite"]
        for setting in self.settings:
            parts += ["--set", setting]
        return [*map(str, parts)]


def complaint(log: str) -> str:
    """Returns the last line of a log that a command ended with for a user's sake, or the last that is not empty.
    Libraries may write more as a process ends."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")
