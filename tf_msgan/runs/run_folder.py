"""The folder of a run."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import tf_msgan
from tf_msgan.config import SCHEMA, Config, read_schema
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split, check_split
from tf_msgan.datasets.subject_digests import digest_split
from tf_msgan.errors import InputError, OptionError
from tf_msgan.io.atomic_files import holds_something, sync, write_json
from tf_msgan.io.digests import combine
from tf_msgan.phantoms.phantom_cohort import are_phantoms, embedded_cohort, embedded_folder
from tf_msgan.progress import Progress, silent
from tf_msgan.runs.machine import describe_commit, describe_machine, describe_versions

CONFIG = "config.json"
# The config of an earlier run, while its folder is emptied for a new one.
REPLACED = "replaced-config.json"


def check_run_folder(run: Path, overwrite: bool):
    """Refuses a run folder that cannot be had.

    Raises:
        InputError: it holds something, and is not an earlier run that `overwrite` gives away.
    """
    if run.exists() and not run.is_dir():
        raise InputError(run, "a file", "a folder for the run")
    if holds_something(run):
        if not overwrite:
            raise InputError(run, "something there already", "a new folder, or --overwrite")
        if not any(_is_of_a_run(run / name) for name in (CONFIG, REPLACED)):
            raise InputError(run, f"no {CONFIG} of a run in it", "an earlier run: --overwrite deletes nothing else")


def _is_of_a_run(path):
    """Whether a file is what `describe_run` describes, of whatever version: others call files `config.json` too."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"config", "data", "versions"} <= set(content)


def begin_run(run: Path, description: dict, overwrite: bool):
    """Makes a run folder of nothing but `config.json`, in place of an earlier run if it may `overwrite` it.

    A kill at any moment leaves a folder that `check_run_folder` lets pass again, and never part of an earlier run that
    could be gone on with.

    Raises:
        InputError: as of `check_run_folder`; another training may have begun there since it was asked last.
    """
    check_run_folder(run, overwrite)
    run.mkdir(parents=True, exist_ok=True)
    if (run / CONFIG).exists():
        os.replace(run / CONFIG, run / REPLACED)
        sync(run)
    for path in run.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != REPLACED:
            path.unlink()
    write_json(run / CONFIG, description)
    (run / REPLACED).unlink(missing_ok=True)


def describe_run(cohort: Cohort, split: Split, config: Config, command: list[str]) -> dict:
    """What `config.json` holds: all that repeats the run, and the `command` that began it."""
    digests = digest_split(cohort, split)
    return {
        "schema": SCHEMA,
        "version": tf_msgan.__version__,
        "command": command,
        "config": config.to_dict(),
        "data": {
            "layout": cohort.layout,
            "modalities": list(cohort.modalities),
            "labels": dataclasses.asdict(cohort.labels),
            "root": str(cohort.root.resolve()),
            "phantoms": are_phantoms(cohort.root),
            "split": split.to_dict(),
            "sha256": combine(digests),
            "subjects_sha256": digests,
        },
        "git": describe_commit(),
        "versions": describe_versions(),
        "machine": describe_machine(),
    }


def recorded_cohort(recorded: dict, moved_to: str | None = None, progress: Progress = silent) -> Cohort:
    """The run's cohort, where its scans lay or in the folder `moved_to`, with the run's own table of labels. Embedded
    phantoms that are gone are drawn again.

    Raises:
        InputError: the folder has other modalities, or `read_cohort` refuses it.
    """
    root = Path(moved_to or recorded["data"]["root"])
    if root == embedded_folder().resolve():
        root = embedded_cohort(progress)
    data = recorded["data"]
    classes = {int(code): number for code, number in data["labels"]["classes"].items()}
    tissues = tuple(data["labels"]["tissues"])
    labels = LabelTable(**{**data["labels"], "tissues": tissues, "classes": classes})
    return read_cohort(root, data["layout"], labels, data["modalities"])


def check_same_data(run: Path, recorded: dict, cohort: Cohort, split: Split):
    """Refuses to go on with a run over other scans than it began with.

    Raises:
        InputError: a subject's files are not those that `recorded`, of `config.json`, has the digests of.
    """
    for id, digest in digest_split(cohort, split).items():
        if digest != recorded["data"]["subjects_sha256"][id]:
            raise InputError(cohort.root, f"other files for subject {id}", f"those that {run} began with")


def recorded_config(recorded: dict, run: Path) -> Config:
    """The `Config` of `config.json`.

    Raises:
        InputError: a field is unknown, or one is missing that was there before files named their schema.
    """
    try:
        return Config.from_dict(recorded["config"], recorded.get("schema", 0))
    except OptionError as error:
        name, found, expected = error.args
        raise InputError(f"{run / CONFIG}: {name}", found, expected) from None
    except (TypeError, KeyError) as error:
        raise InputError(run / CONFIG, error, "the options of this version of tf_msgan, or of one before") from None


def recorded_split(recorded: dict, run: Path, cohort: Cohort) -> Split:
    """The split of `config.json`, checked against the cohort."""
    split = Split(**{role: tuple(ids) for role, ids in recorded["data"]["split"].items()})
    check_split(split, str(run), cohort)
    return split


def read_run_config(run: Path) -> dict:
    """Reads `config.json`.

    Raises:
        InputError: there is none, it is no JSON, not all is in it, or a newer version wrote it.
    """
    path = Path(run) / CONFIG
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(path, "no such file", "the folder of a run by tf_msgan.train") from None
    except ValueError as error:
        raise InputError(path, f"no JSON ({error})", f"the {CONFIG} of a run") from None
    if isinstance(recorded, dict):
        read_schema(recorded, path)
    needed = {"root", "layout", "modalities", "labels", "phantoms", "split", "subjects_sha256"}
    data = recorded.get("data") if isinstance(recorded, dict) else None
    if not isinstance(data, dict) or not needed <= set(data) or "config" not in recorded:
        raise InputError(path, "not all that a run records", f"the {CONFIG} of a run by this version of tf_msgan")
    return recorded
