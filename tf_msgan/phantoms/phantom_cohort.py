"""Cohorts of phantoms on disk: infants in the layout of iSEG-2017, adults in that of MRBrainS13."""

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from tf_msgan.errors import InputError, require
from tf_msgan.io.atomic_files import temporary_path, write_json
from tf_msgan.io.write_volumes import write_analyze, write_new_nifti
from tf_msgan.progress import Progress, silent

# How many subjects each challenge has.
SUBJECTS = {"infant": 23, "adult": 20}
# How many of its subjects have labels.
LABELLED = {"infant": 10, "adult": 5}
# Classes → iSEG-2017's codes.
ISEG_CODES = np.array([0, 10, 150, 250], np.uint8)

# The cache folder's name holds it: raise it with every change to what is drawn for infants.
VERSION = 1

# Lies in every folder of phantoms, so that no report takes them for scans.
MARK = "phantoms.json"


def are_phantoms(folder: Path) -> bool:
    """Whether `write_cohort` made the folder."""
    return (folder / MARK).is_file()


def write_cohort(
    preset: str,
    folder: str | os.PathLike[str],
    subjects: int,
    spacing: int,
    seed: int,
    progress: Progress = silent,
) -> None:
    """Writes subjects 1…`subjects` of a preset.

    - `infant`: `subject-N-{T1,T2}.{hdr,img}`, and `subject-N-label` for N ≤ 10.
    - `adult`: `TrainingData/{1…5}/` and, for the sixth subject and on, `TestData/{1…}/`, each with `T1.nii`,
      `T1_IR.nii` and `T2_FLAIR.nii`. Training subjects alone have `LabelsForTraining.nii`, `LabelsForTesting.nii` and,
      to save disk, `T1_1mm.nii`, which lies on another grid.

    The labels of the others lie in `truth/`, which no layout reads: they are for evaluation alone. Two processes draw.
    The folder appears when it is whole.

    Args:
        preset: `infant` or `adult`.
        folder: must not exist, or be empty.
        subjects: 1 or more.
        spacing: 1 or 2: mm for infants, times MRBrainS13's voxels in plane for adults.
        seed: equal seeds give equal files.
        progress: told of every subject.

    Raises:
        InputError: the folder holds something, a process that drew was killed, or there is no nilearn.
    """
    require("nilearn", "phantoms", "drawing phantoms")
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "something there already", "a new or an empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(folder)
    temporary.mkdir()
    write_subject = {"infant": _write_infant, "adult": _write_adult}[preset]
    try:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = [
                pool.submit(write_subject, temporary, number, spacing, seed) for number in range(1, subjects + 1)
            ]
            try:
                for done, future in enumerate(as_completed(futures), start=1):
                    future.result()
                    progress("drawing phantoms", done, subjects)
            except BrokenProcessPool:
                raise InputError(folder, "a process killed while it drew", "memory enough for two that draw") from None
            finally:
                # On a full disk the others need not be drawn before it is said.
                pool.shutdown(wait=False, cancel_futures=True)
        write_json(temporary / MARK, {"preset": preset, "spacing": spacing, "seed": seed, "version": VERSION})
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


# Phantoms are drawn in processes of their own: who only asks where they lie need not wait for SciPy.


def _write_infant(folder: Path, number: int, spacing: int, seed: int) -> None:
    from tf_msgan.phantoms.infant import make_infant

    phantom = make_infant(number, spacing, seed)
    spacings = (spacing, spacing, spacing)
    write_analyze(folder / f"subject-{number}-T1.img", phantom.t1, spacings)
    write_analyze(folder / f"subject-{number}-T2.img", phantom.t2, spacings)
    label_folder = folder if number <= LABELLED["infant"] else folder / "truth"
    write_analyze(label_folder / f"subject-{number}-label.img", ISEG_CODES[phantom.labels], spacings)


def _write_adult(folder: Path, number: int, spacing: int, seed: int) -> None:
    from tf_msgan.phantoms.adult import TESTING_CODES, adult_spacings, make_adult

    phantom = make_adult(number, spacing, seed)
    spacings, fine_spacings = adult_spacings(spacing)
    labelled = number <= LABELLED["adult"]
    part = Path("TrainingData", str(number)) if labelled else Path("TestData", str(number - LABELLED["adult"]))
    for name, image in (("T1", phantom.t1), ("T1_IR", phantom.t1_ir), ("T2_FLAIR", phantom.flair)):
        write_new_nifti(folder / part / f"{name}.nii", image, spacings)
    if labelled:
        write_new_nifti(folder / part / "T1_1mm.nii", phantom.t1_1mm, fine_spacings)
        write_new_nifti(folder / part / "LabelsForTesting.nii", TESTING_CODES[phantom.labels], spacings)
    label_folder = folder / part if labelled else folder / "truth" / part
    write_new_nifti(label_folder / "LabelsForTraining.nii", phantom.labels, spacings)


def embedded_folder() -> Path:
    """Returns the folder where the embedded cohort lies, or will: under the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "tf_msgan" / f"infant-2mm-seed0-v{VERSION}"


def embedded_cohort(progress: Progress = silent) -> Path:
    """Returns the folder of the embedded cohort, 23 subjects at 2 mm with seed 0; draws it if it is not there."""
    folder = embedded_folder()

    def drawn(_: str, done: int, total: int) -> None:
        progress("drawing the embedded phantoms", done, total)

    if not folder.is_dir():
        try:
            write_cohort("infant", folder, subjects=23, spacing=2, seed=0, progress=drawn)
        except OSError:
            # Another process may have drawn it meanwhile.
            if not are_phantoms(folder):
                raise
    return folder
