"""The folder of a run."""

import json
import shutil
from pathlib import Path

from tf_msgan.config import Config
from tf_msgan.data.cohort import Cohort
from tf_msgan.data.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.files import write_json
from tf_msgan.machine import describe_machine, describe_versions


def prepare_run_folder(path, overwrite: bool) -> Path:
    """Makes the run folder.

    Raises:
        InputError: it holds something, and is not an earlier run that `overwrite` gives away.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(path, "a file", "a folder for the run")
    if path.is_dir() and any(path.iterdir()):
        if not overwrite:
            raise InputError(path, "something there already", "a new folder, or --overwrite")
        if not (path / "config.json").is_file():
            raise InputError(path, "no config.json in it", "an earlier run: --overwrite deletes nothing else")
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_run_config(run: Path, cohort: Cohort, split: Split, config: Config, phantoms: bool):
    """Writes `config.json`: all that repeats the run."""
    write_json(
        run / "config.json",
        {
            "config": config.to_dict(),
            "data": {
                "layout": cohort.layout,
                "root": str(cohort.root.resolve()),
                "phantoms": phantoms,
                "split": {role: list(ids) for role, ids in split.roles().items()},
            },
            "versions": describe_versions(),
            "machine": describe_machine(),
        },
    )


def read_run_config(run: Path) -> dict:
    """Reads `config.json`.

    Raises:
        InputError: there is none, or it is no JSON.
    """
    path = Path(run) / "config.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(path, "no such file", "the folder of a run by tf_msgan.train") from None
    except ValueError as error:
        raise InputError(path, f"no JSON ({error})", "the config.json of a run") from None
