"""What a run says of itself: its `config.json`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tf_msgan.config import Config, read_schema
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split, check_split
from tf_msgan.datasets.subject_digests import digest_split
from tf_msgan.errors import InputError, OptionError
from tf_msgan.phantoms.phantom_cohort import embedded_cohort, embedded_folder
from tf_msgan.progress import Progress, silent
from tf_msgan.records import read_record

CONFIG = "config.json"


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Attributes:
        layout, modalities, labels, split: of its cohort.
        root: the folder where that lay.
        phantoms: whether it is one of phantoms.
        subjects_sha256: the digest of each subject's files, by id.
    """

    layout: str
    modalities: tuple[str, ...]
    labels: LabelTable
    root: str
    phantoms: bool
    split: Split
    subjects_sha256: dict[str, str]


@dataclass(frozen=True)
class RunRecord:
    """What `config.json` holds; `tf_msgan.runs.run_folder.describe_run` wrote it.

    Attributes:
        data: of the run.
        config: its options by part and field, in the form of `schema`.
        schema: of the file; 0 of an early version, which names none.
        machine, versions, git: what it was made on, and by.
    """

    data: RunData
    config: dict[str, Any]
    schema: int = 0
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    git: dict[str, Any] | None = None


def read_run_record(run: Path) -> RunRecord:
    """Reads the `config.json` of a run's folder.

    Raises:
        InputError: there is none, it is no JSON, something in it is missing or of another type, or a newer version
            wrote it.
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
    return read_record(RunRecord, recorded, path)


def recorded_config(record: RunRecord, run: Path) -> Config:
    """Returns the `Config` of a run.

    Raises:
        InputError: a field is unknown or may not have its value, or one is missing that was there before files named
            their schema.
    """
    try:
        return Config.from_dict(record.config, record.schema)
    except OptionError as error:
        name, found, expected = error.args
        raise InputError(f"{run / CONFIG}: {name}", found, expected) from None
    except (TypeError, KeyError) as error:
        raise InputError(run / CONFIG, error, "the options of this version of tf_msgan, or of one before") from None


def recorded_cohort(record: RunRecord, moved_to: str | None = None, progress: Progress = silent) -> Cohort:
    """Returns the run's cohort, where its scans lay or in the folder `moved_to`, with the run's own table of labels.
    Embedded phantoms that are gone are drawn again.

    Raises:
        InputError: the folder has other modalities, or `read_cohort` refuses it.
    """
    data = record.data
    root = Path(moved_to or data.root)
    if root == embedded_folder().resolve():
        root = embedded_cohort(progress)
    return read_cohort(root, data.layout, data.labels, data.modalities)


def recorded_split(record: RunRecord, run: Path, cohort: Cohort) -> Split:
    """Returns the split of a run, checked against the cohort.

    Raises:
        InputError: it does not fit.
    """
    check_split(record.data.split, str(run), cohort)
    return record.data.split


def check_same_data(run: Path, record: RunRecord, cohort: Cohort, split: Split) -> None:
    """Refuses to go on with a run over other scans than it began with.

    Raises:
        InputError: a subject's files have another digest than the run recorded.
    """
    for subject_id, digest in digest_split(cohort, split).items():
        if digest != record.data.subjects_sha256.get(subject_id):
            raise InputError(cohort.root, f"other files for subject {subject_id}", f"those that {run} began with")
