"""The folder of a run, as a training begins it."""

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import tf_msgan
from tf_msgan.config import SCHEMA, Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.datasets.subject_digests import digest_split
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import holds_something, sync, write_json
from tf_msgan.io.digests import combine
from tf_msgan.phantoms.phantom_cohort import are_phantoms
from tf_msgan.runs.machine import describe_commit, describe_machine, describe_versions
from tf_msgan.runs.run_record import CONFIG

# The config of an earlier run, while its folder is emptied for a new one.
REPLACED = "replaced-config.json"


def check_run_folder(run: Path, overwrite: bool) -> None:
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


def _is_of_a_run(path: Path) -> bool:
    """Whether a file is what `describe_run` describes, of whatever version: others call files `config.json` too."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"config", "data", "versions"} <= set(content)


def begin_run(run: Path, description: dict[str, Any], overwrite: bool) -> None:
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


def describe_run(cohort: Cohort, split: Split, config: Config, command: list[str]) -> dict[str, Any]:
    """Returns what `config.json` holds: all that repeats the run, and the `command` that began it."""
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
