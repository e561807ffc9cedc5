"""Cohorts of infant phantoms on disk, in the iSEG-2017 layout."""

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from tf_msgan.data.phantoms import make_infant
from tf_msgan.data.volumes import write_analyze
from tf_msgan.errors import InputError
from tf_msgan.files import temporary_path, write_json

LABELLED = 10
ISEG_CODES = np.array([0, 10, 150, 250], np.uint8)

# Named in the cache folder: raise it with every change to what is drawn.
VERSION = 1

# Lies in every folder of phantoms, so that no report takes them for scans.
MARK = "phantoms.json"


def are_phantoms(folder: Path) -> bool:
    return (folder / MARK).is_file()


def write_infant_cohort(folder, subjects: int, spacing: int, seed: int, progress=lambda done, total: None):
    """Writes `subject-N-{T1,T2}.{hdr,img}` for N = 1…`subjects`, and `subject-N-label` for N ≤ 10.

    The labels of the others lie in `truth/`, which no layout reads: they are for evaluation alone. Two processes draw.
    The folder appears when it is whole.

    Args:
        folder: must not exist, or be empty.
        subjects: 1 or more.
        spacing: 1 or 2 mm.
        seed: equal seeds give equal files.
        progress: called with (subjects done, `subjects`).

    Raises:
        InputError: the folder holds something.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "something there already", "a new or an empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(folder)
    temporary.mkdir()
    try:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = [
                pool.submit(_write_infant, temporary, number, spacing, seed) for number in range(1, subjects + 1)
            ]
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(done, subjects)
        write_json(temporary / MARK, {"preset": "infant", "spacing_mm": spacing, "seed": seed, "version": VERSION})
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_infant(folder, number, spacing, seed):
    phantom = make_infant(number, spacing, seed)
    spacings = (spacing,) * 3
    write_analyze(folder / f"subject-{number}-T1.img", phantom.t1, spacings)
    write_analyze(folder / f"subject-{number}-T2.img", phantom.t2, spacings)
    label_folder = folder if number <= LABELLED else folder / "truth"
    write_analyze(label_folder / f"subject-{number}-label.img", ISEG_CODES[phantom.labels], spacings)


def embedded_folder() -> Path:
    """Where the embedded cohort lies, or will: under the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "tf_msgan" / f"infant-2mm-seed0-v{VERSION}"


def embedded_cohort(progress=lambda done, total: None) -> Path:
    """Returns the folder of the embedded cohort, 23 subjects at 2 mm with seed 0; draws it if it is not there."""
    folder = embedded_folder()
    if not folder.is_dir():
        write_infant_cohort(folder, subjects=23, spacing=2, seed=0, progress=progress)
    return folder
