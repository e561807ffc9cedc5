"""Checkpoints of a run: all that an unfinished run needs to go on as if nothing had happened.

One file an epoch, `checkpoints/epoch-NNNN.npz`, the two newest kept. A file appears whole or not at all, and its
members carry checksums, so that a damaged one is known when it is read.
"""

import json
import logging
import re
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tf_msgan
from tf_msgan.config import SCHEMA, read_schema
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import TEMPORARY, atomic_write
from tf_msgan.records import read_record

LOGGER = logging.getLogger(__name__)

GENERATIONS = 2


@dataclass
class RunState:
    """How far a run has come.

    Attributes:
        history: one dict of floats an epoch done.
        best_epoch, best_dice: the epoch, from 0, with the best validation Dice so far; −1 before the first.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_dice: float = -1.0

    @property
    def epoch(self) -> int:
        """The epoch to do next, from 0."""
        return len(self.history)


@dataclass
class Checkpoint:
    """What an unfinished run needs.

    Attributes:
        state: how far it has come.
        variables: the training's, by path.
        best: the best model's, by path.
        schema: of the file; before the first one variables have numbers for paths.
    """

    state: RunState
    variables: dict[str, np.ndarray]
    best: dict[str, np.ndarray]
    schema: int = SCHEMA

    def migrated(self, paths: dict[str, str]) -> "Checkpoint":
        """Returns the checkpoint in the present schema; `paths` are those of numbered variables.

        Raises:
            KeyError: a number is not among them.
        """
        if self.schema > 0:
            return self
        variables, best = ({paths[n]: value for n, value in part.items()} for part in (self.variables, self.best))
        return Checkpoint(self.state, variables, best)


def checkpoint_folder(run: Path) -> Path:
    """Returns the folder of a run's checkpoints."""
    return run / "checkpoints"


def write_checkpoint(run: Path, checkpoint: Checkpoint) -> None:
    """Writes the newest generation, then drops those that are too old, and what a kill left half-written."""
    arrays: dict[str, Any] = {f"training/{name}": value for name, value in checkpoint.variables.items()}
    arrays |= {f"best/{name}": value for name, value in checkpoint.best.items()}
    # An archive's members carry checksums, but not its list of them.
    facts = {"schema": SCHEMA, "version": tf_msgan.__version__, **asdict(checkpoint.state), "names": sorted(arrays)}
    arrays["state"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    with atomic_write(checkpoint_folder(run) / f"epoch-{checkpoint.state.epoch:04}.npz") as temporary:
        np.savez(temporary, **arrays)
    LOGGER.debug("wrote the checkpoint of epoch %d", checkpoint.state.epoch)
    for old in [*_generations(run)[GENERATIONS:], *checkpoint_folder(run).glob(f"{TEMPORARY}*")]:
        old.unlink()


def read_checkpoint(run: Path) -> Checkpoint | None:
    """Reads the newest checkpoint that is whole, and warns of those that are not. None if none was ever written.

    Raises:
        InputError: the run has come so far that there must be one, but none can be read, or a newer version wrote it.
    """
    for path in _generations(run):
        try:
            return _read(path)
        except InputError:
            raise
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            TypeError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            LOGGER.warning("%s is damaged (%s): falling back to the one before", path, error)
    if _generations(run) or (run / "history.csv").exists():
        raise InputError(checkpoint_folder(run), "no checkpoint that can be read", "one to resume from, or --overwrite")
    return None


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    state = json.loads(arrays.pop("state").tobytes())
    schema = read_schema(state, path)
    if state["names"] != sorted(arrays):
        raise ValueError("other members than were written")
    parts: dict[str, dict[str, np.ndarray]] = {"training": {}, "best": {}}
    for name, value in arrays.items():
        part, _, variable = name.partition("/")
        parts[part][variable] = value
    progress = read_record(RunState, state, path)
    return Checkpoint(progress, variables=parts["training"], best=parts["best"], schema=schema)


def _generations(run: Path) -> list[Path]:
    """The checkpoints, newest first."""
    files = checkpoint_folder(run).glob("epoch-*.npz")
    return sorted(
        (f for f in files if re.fullmatch(r"epoch-\d{4,}", f.stem)), key=lambda f: int(f.stem[6:]), reverse=True
    )
