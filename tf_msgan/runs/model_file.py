"""What a model file says of itself, read without Keras."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from tf_msgan.config import read_schema
from tf_msgan.errors import InputError
from tf_msgan.runs.run_record import CONFIG, read_run_record

MODEL = "model.keras"
# What zipfile, JSON and Keras raise at a damaged archive, or at one of something else.
UNREADABLE = (
    *(ValueError, TypeError, KeyError, AttributeError, IndexError, OSError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def model_file(path: Path) -> Path:
    """Returns the file of a model, for which its run's folder may stand.

    Raises:
        InputError: there is neither.
    """
    path = Path(path)
    file = path / MODEL if path.is_dir() else path
    if not file.is_file():
        found = "no such file" if path.is_dir() else "no such file or folder"
        raise InputError(file, found, "the folder of a finished run by tf_msgan.train, or its model.keras")
    return file


def read_model_config(path: Path) -> dict[str, Any]:
    """Returns what `model.keras` was built from: `schema`, `version`, `modalities`, `tissues`, `config` and
    `variables`, their paths in the order of the weights.

    Raises:
        InputError: it is no model of this package, or a newer version wrote it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            recorded = json.loads(archive.read("config.json"))["config"]
        schema = read_schema(recorded, path)
        if schema and not all(isinstance(name, str) for name in recorded["modalities"]):
            raise TypeError("modalities without names")
    except InputError:
        raise
    except UNREADABLE as error:
        raise unreadable(path, error) from None
    return recorded


def modalities_of(recorded: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Returns the names of a model's modalities, in the order of its channels, by `read_model_config` of its file
    `path`. One of schema 0 leaves them to the `config.json` beside it.

    Raises:
        InputError: a file of schema 0 stands alone, or its `config.json` is another's.
    """
    if recorded.get("schema", 0):
        return tuple(recorded["modalities"])
    beside = path.with_name(CONFIG)
    if not beside.is_file():
        raise InputError(path, "a model of an early version, which names no modalities", f"its {CONFIG} beside it")
    modalities = read_run_record(path.parent).data.modalities
    if len(modalities) != recorded.get("modalities"):
        raise InputError(
            path, f"a model of {recorded.get('modalities')} modalities", f"{len(modalities)} as in {beside}"
        )
    return modalities


def read_modalities(path: Path) -> tuple[str, ...]:
    """Returns `modalities_of` a run's folder, or of a model's file; raises as that, `model_file` and
    `read_model_config`."""
    file = model_file(path)
    return modalities_of(read_model_config(file), file)


def unreadable(path: Path, error: BaseException) -> InputError:
    """Returns what a model file that cannot be read raises."""
    return InputError(path, f"a file that Keras cannot read ({error})", "a model saved by tf_msgan.train")
