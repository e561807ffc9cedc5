"""Scans to segment: single files, and lists of them."""

import dataclasses
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tf_msgan.datasets.modality_names import BRAIN, name_pattern
from tf_msgan.errors import InputError, OptionError, check_name
from tf_msgan.io.folders import is_there
from tf_msgan.io.images import lacks_too_many, missing_modalities
from tf_msgan.io.read_volumes import SUFFIXES

# What stands for the file of a modality that a scan lacks.
LACKING = "none"

# A pattern of how the name of a volume ends.
ENDING = "|".join(re.escape(suffix) for suffix in SUFFIXES)


@dataclass(frozen=True)
class Case:
    """One scan.

    Attributes:
        images: a file a modality in the model's order, which need not exist, or None for one that the scan lacks.
        folder: where its outputs go, relative to the output folder.
        unclear: files that are all called after one modality, so that nobody can say which is meant.
    """

    id: str
    images: tuple[Path | None, ...]
    folder: Path = Path()
    unclear: tuple[Path, ...] = ()

    def existing(self) -> tuple[Path | None, ...]:
        """`images`, with None for those that do not exist.

        Raises:
            InputError: a folder may not be searched.
        """
        return tuple(path if path and is_there(path) else None for path in self.images)


@dataclass(frozen=True)
class Cases:
    """What was found, and the `naming` that its outputs follow: `plain`, `nnunet` or `bids`."""

    naming: str
    cases: list[Case]


def case_of_files(files: Sequence[str | os.PathLike[str]], modalities: Sequence[str], where: str = "--input") -> Case:
    """Returns the case of one scan's files, `none` for a modality that it lacks; its id is what the name of the first
    one holds beside the modality, or else its folder's name. `where` says what names the files.

    Raises:
        InputError: there are not as many files as modalities, or a file is missing.
    """
    if len(files) != len(modalities):
        raise InputError(where, f"{len(files)} files", f"{len(modalities)}: {', '.join(modalities)}, in this order")
    images = tuple(None if str(file) == LACKING else Path(file) for file in files)
    for file in filter(None, images):
        if not file.is_file():
            raise InputError(file, "no such file", f"a volume ({', '.join(SUFFIXES)})")
    numbered = next(((n, file) for n, file in enumerate(images) if file), None)
    if numbered is None:
        raise InputError(where, f"{LACKING} alone", f"a volume of {' or '.join(modalities)}")
    number, first = numbered
    stem = re.sub(f"({ENDING}|\\.img)$", "", first.name)
    mark = f"(^|[-_])({number:04}|{name_pattern(modalities[number])}{BRAIN})$"
    case_id = re.sub(mark, "", stem, flags=re.IGNORECASE)
    # Not where a link leads: stores such as git-annex call files after what they hold.
    return Case(case_id or Path(os.path.abspath(first)).parent.name, images)


def lack_modalities(case: Case, modalities: Sequence[str], may_lack: bool) -> Case:
    """Returns the case with None for the files that it lacks.

    Raises:
        InputError: it lacks one and may not, or lacks all, it is not clear which file is a modality's, or a name is
            not UTF-8.
    """
    for path in (case.folder / case.id, *filter(None, case.images)):
        check_name(path)
    if case.unclear:
        first, *others = case.unclear
        raise InputError(first, f"{', '.join(path.name for path in others)} beside it", "one of them, or a --list")
    images = case.existing()
    missing = missing_modalities(modalities, images)
    if lacks_too_many(missing, modalities, may_lack):
        expected = f"all of {', '.join(modalities)}: the model was not trained with --drop-modality"
        where = next((path for path in case.images if path and not is_there(path)), case.id)
        raise InputError(where, f"no {', '.join(missing)}", "one at least" if may_lack else expected)
    return dataclasses.replace(case, images=images)


def read_case_list(path: Path, modalities: Sequence[str]) -> Cases:
    """Reads a table with a case a line, its files parted by tabs, `none` for one that it lacks; they are relative to
    the table's folder.

    Raises:
        InputError: a line has not as many files as there are modalities, or one is missing.
    """
    if not path.is_file():
        raise InputError(path, "no such file", "a table with a case a line, its files parted by tabs")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(path, f"no text ({error})", "a table in UTF-8") from None
    cases = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            files = [file if file == LACKING else path.parent / file for file in line.split("\t")]
            cases.append(case_of_files(files, modalities, f"{path}, line {number}"))
    return checked_cases(path, "plain", cases)


def take_shard(cases: list[Case], shard: str) -> list[Case]:
    """Returns the `I/N`-th part of the cases, I from 1; all parts together are all cases.

    Raises:
        InputError: `shard` is not such a pair.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    part, parts = (int(n) for n in match.groups()) if match else (0, 0)
    if not 1 <= part <= parts:
        raise OptionError("shard", shard, "I/N, with I in 1..N")
    return cases[part - 1 :: parts]


def checked_cases(where: Path, naming: str, cases: list[Case]) -> Cases:
    """Returns the cases that were found in the folder or the list `where`, with their `naming`.

    Raises:
        InputError: there is none, or two would have their outputs in one place.
    """
    if not cases:
        raise InputError(where, "no case", "one or more")
    seen: dict[tuple[Path, str], Case] = {}
    for case in cases:
        other = seen.setdefault((case.folder, case.id), case)
        if other is not case:
            file, its_file = (next(filter(None, each.images)) for each in (case, other))
            raise InputError(file, f"the case {case.id} again", f"another name than that of {its_file}")
    return Cases(naming, cases)
