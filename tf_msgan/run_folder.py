"""The folder of a run."""

import json
import shutil
from pathlib import Path

from tf_msgan.config import Config
from tf_msgan.data.cohort import Cohort
from tf_msgan.data.digest import combine, digest_split
from tf_msgan.data.phantom_cohort import are_phantoms
from tf_msgan.data.splits import Split, check_split
from tf_msgan.errors import InputError
from tf_msgan.files import write_json
from tf_msgan.machine import describe_commit, describe_machine, describe_versions


def check_run_folder(run: Path, overwrite: bool):
    """Refuses a run folder that cannot be had.

    Raises:
        InputError: it holds something, and is not an earlier run that `overwrite` gives away.
    """
    if run.exists() and not run.is_dir():
        raise InputError(run, "a file", "a folder for the run")
    if run.is_dir() and any(run.iterdir()):
        if not overwrite:
            raise InputError(run, "something there already", "a new folder, or --overwrite")
        if not (run / "config.json").is_file():
            raise InputError(run, "no config.json in it", "an earlier run: --overwrite deletes nothing else")


def make_run_folder(run: Path):
    """Makes an empty run folder, in place of any earlier run that `check_run_folder` let pass."""
    if run.is_dir():
        shutil.rmtree(run)
    run.mkdir(parents=True)


def write_run_config(run: Path, cohort: Cohort, split: Split, config: Config, command: list[str]):
    """Writes `config.json`: all that repeats the run, and the `command` that began it."""
    digests = digest_split(cohort, split)
    write_json(
        run / "config.json",
        {
            "command": command,
            "config": config.to_dict(),
            "data": {
                "layout": cohort.layout,
                "root": str(cohort.root.resolve()),
                "phantoms": are_phantoms(cohort.root),
                "split": {role: list(ids) for role, ids in split.roles().items()},
                "sha256": combine(digests),
                "subjects_sha256": digests,
            },
            "git": describe_commit(),
            "versions": describe_versions(),
            "machine": describe_machine(),
        },
    )


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
        InputError: it has a field that this version does not know.
    """
    try:
        return Config.from_dict(recorded["config"])
    except TypeError as error:
        raise InputError(run / "config.json", error, "a run of this version of tf_msgan") from None


def recorded_split(recorded: dict, run: Path, cohort: Cohort) -> Split:
    """The split of `config.json`, checked against the cohort."""
    split = Split(**{role: tuple(ids) for role, ids in recorded["data"]["split"].items()})
    check_split(split, str(run), cohort)
    return split


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
