"""Scans to segment: single files, lists of them, and folders as they come."""

import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tf_msgan.data.cohort import missing_modalities
from tf_msgan.data.folders import is_there, names_in
from tf_msgan.data.volumes import SUFFIXES
from tf_msgan.errors import InputError, check_name

# What stands for the file of a modality that a scan lacks.
LACKING = "none"
ENDING = "|".join(re.escape(suffix) for suffix in SUFFIXES)
# Sequences whose names begin as another's.
LONGER = ("T1_IR", "T2_FLAIR")
# What skull-strippers add to a name, as FSL's BET.
BRAIN = "([-_]brain)?"


@dataclass(frozen=True)
class Case:
    """One scan: `images`, a file a modality in the model's order, which need not exist, or None for one that it
    lacks; `folder`, where its outputs go, relative to the output folder; `unclear`, files that are called after one
    modality, so that nobody can say which is meant."""

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


def case_of_files(files, modalities, where="--input") -> Case:
    """The case of one scan's files, `none` for a modality that it lacks; its id is what the name of the first one
    holds beside the modality, or else its folder's name. `where` the files are named.

    Raises:
        InputError: there are not as many files as modalities, or a file is missing.
    """
    if len(files) != len(modalities):
        raise InputError(where, f"{len(files)} files", f"{len(modalities)}: {', '.join(modalities)}, in this order")
    images = tuple(None if str(file) == LACKING else Path(file) for file in files)
    for file in filter(None, images):
        if not file.is_file():
            raise InputError(file, "no such file", f"a volume ({', '.join(SUFFIXES)})")
    number = next((n for n, file in enumerate(images) if file), None)
    if number is None:
        raise InputError(where, f"{LACKING} alone", f"a volume of {' or '.join(modalities)}")
    stem = re.sub(f"({ENDING}|\\.img)$", "", images[number].name)
    id = re.sub(f"(^|[-_])({number:04}|{_named(modalities[number])}{BRAIN})$", "", stem, flags=re.IGNORECASE)
    # Not where a link leads: stores such as git-annex call files after what they hold.
    return Case(id or Path(os.path.abspath(images[number])).parent.name, images)


def lack_modalities(case: Case, modalities, may_lack: bool) -> Case:
    """The case with None for the files that it lacks.

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
    if missing and (not may_lack or len(missing) == len(images)):
        expected = f"all of {', '.join(modalities)}: the model was not trained with --drop-modality"
        where = next((path for path in case.images if path and not is_there(path)), case.id)
        raise InputError(where, f"no {', '.join(missing)}", "one at least" if may_lack else expected)
    return dataclasses.replace(case, images=images)


def read_case_list(path: Path, modalities) -> Cases:
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
    return _checked(path, "plain", cases)


def find_cases(folder: Path, modalities) -> Cases:
    """Finds the cases of a folder: of nnU-Net (`CASE_0000.nii.gz`, `CASE_0001.nii.gz`, …), of BIDS
    (`sub-*/[ses-*/]anat/*_T1w.nii.gz`, …), with files `CASE_T1.nii.gz`, `CASE-T1.hdr` or `CASE_T1w_brain.nii` side by
    side, or with a folder a case. A case that lacks a modality is kept: reading it will say so.

    Raises:
        InputError: there is no such folder, or it is laid out in another way.
    """
    if not folder.is_dir():
        raise InputError(folder, "no such folder", "a folder of scans")
    for naming, find in (
        ("nnunet", find_nnunet_cases),
        ("bids", find_bids_cases),
        ("plain", _side_by_side),
        ("plain", _folders),
    ):
        cases = find(folder, modalities)
        if cases:
            return _checked(folder, naming, cases)
    expected = f"CASE_0000.nii.gz (nnU-Net), sub-*/anat (BIDS), CASE_{modalities[0]}.nii.gz, or a folder a case"
    raise InputError(folder, f"no scan of {', '.join(modalities)}", expected)


def take_shard(cases: list[Case], shard: str) -> list[Case]:
    """The `I/N`-th part of the cases, I from 1; all parts together are all cases.

    Raises:
        InputError: `shard` is not such a pair.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    part, parts = (int(n) for n in match.groups()) if match else (0, 0)
    if not 1 <= part <= parts:
        raise InputError("--shard", shard, "I/N, with I in 1..N")
    return cases[part - 1 :: parts]


def _checked(where, naming, cases):
    if not cases:
        raise InputError(where, "no case", "one or more")
    seen = {}
    for case in cases:
        other = seen.setdefault((case.folder, case.id), case)
        if other is not case:
            raise InputError(
                *(next(filter(None, case.images)), f"the case {case.id} again"),
                f"another name than that of {next(filter(None, other.images))}",
            )
    return Cases(naming, cases)


def _named(modality):
    """A pattern of how files call a modality: T1, and T1w as in BIDS; FLAIR, and T2_FLAIR."""
    longer = "(T2[-_])?" if modality.upper() == "FLAIR" else ""
    return f"{longer}{re.escape(_unweighted(modality))}w?"


def _unweighted(modality):
    """T1 for T1w."""
    return re.sub("^(T1|T2|PD)w$", r"\1", modality)


def volumes_in(folder):
    """The volumes in a folder, by what comes before their ending; .nii.gz goes before .nii and .hdr."""
    names, found = [name for name in names_in(folder) if not name.startswith(".")], {}
    for suffix in reversed(SUFFIXES):
        for name in names:
            if name.endswith(suffix):
                found[name.removesuffix(suffix)] = folder / name
    return dict(sorted(found.items()))


def find_nnunet_cases(folder: Path, modalities) -> list[Case]:
    """The cases `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, … of a folder, which need not exist.

    Raises:
        InputError: a case has a channel beyond the modalities.
    """
    files = volumes_in(folder)
    marks = [f"_{n:04}" for n in range(len(modalities))]
    found = {}
    for name, path in files.items():
        if name.endswith(tuple(marks)):
            found.setdefault(name[:-5], path.name.removeprefix(name))
    for name, path in files.items():
        # Cases that are numbered in four digits look like the channels of one.
        if name[:-5] in found and re.fullmatch(r"_\d{4}", name[-5:]) and not name.endswith(tuple(marks)):
            raise InputError(path, f"channel {name[-4:]}", f"0000 to {marks[-1][1:]}: {', '.join(modalities)}")
    return [
        Case(id, tuple(files.get(id + mark, folder / f"{id}{mark}{ending}") for mark in marks))
        for id, ending in found.items()
    ]


def find_bids_cases(folder: Path, modalities) -> list[Case]:
    """The cases `sub-*/[ses-*/]anat/*_T1w.nii.gz`, … of a folder. Files of one name but for the modality are a case;
    what else a session has only one of belongs to its first case, whatever its acquisition is called."""
    cases = []
    for anat in find_anat_folders(folder):
        files, by_entities = volumes_in(anat), {}
        for n, modality in enumerate(modalities):
            matches = (re.fullmatch(f"(sub-.+)_{_named(modality)}", name) for name in files)
            of_it = {match[1]: files[match[0]] for match in matches if match}
            first = next(iter(by_entities), None)
            for entities, path in of_it.items():
                alone = len(of_it) == 1 and first is not None and entities not in by_entities
                by_entities.setdefault(first if alone else entities, {})[n] = path
        for entities, images in by_entities.items():
            expected = [anat / f"{entities}_{_bids_suffix(modality)}.nii.gz" for modality in modalities]
            found = tuple(images.get(n, path) for n, path in enumerate(expected))
            cases.append(Case(entities, found, anat.relative_to(folder)))
    return cases


def find_anat_folders(folder: Path) -> list[Path]:
    """BIDS's `sub-*/anat` and `sub-*/ses-*/anat`; of links that lead to one of them, none.

    Raises:
        InputError: a folder may not be read.
    """
    subjects = [folder / name for name in names_in(folder) if name.startswith("sub-")]
    found = {}
    for subject in subjects:
        sessions = [subject / name for name in names_in(subject) if name.startswith("ses-")]
        # Links come last, so that what they lead to is not called after them.
        for parent in (subject, *sorted(sessions, key=Path.is_symlink)):
            if is_there(parent / "anat"):
                found.setdefault((parent / "anat").resolve(), parent / "anat")
    return sorted(found.values())


def _bids_suffix(modality):
    return f"{modality}w" if modality in ("T1", "T2", "PD") else modality


def _side_by_side(folder, modalities):
    files, found = volumes_in(folder), {}
    for n, modality in enumerate(modalities):
        for name, path in files.items():
            match = re.fullmatch(f"(.+?)[-_]{_named(modality)}{BRAIN}", name, re.IGNORECASE)
            if match:
                found.setdefault(match[1], {}).setdefault(n, []).append(path)

    def expected(id, n):
        path = next(iter(found[id].values()))[0]
        suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
        return path.with_name(f"{path.name[: len(id) + 1]}{modalities[n]}{suffix}")

    return [
        _of_candidates(id, [of_it.get(n) or [expected(id, n)] for n in range(len(modalities))])
        for id, of_it in found.items()
    ]


def _of_candidates(id, candidates):
    """A case of the files that each of its modalities may be."""
    unclear = next((tuple(files) for files in candidates if len(files) > 1), ())
    return Case(id, tuple(files[0] for files in candidates), unclear=unclear)


def _folders(folder, modalities):
    cases = []
    for inner in (folder / name for name in names_in(folder) if (folder / name).is_dir()):
        files = volumes_in(inner)
        found = [_of_modality(files, modality, modalities) for modality in modalities]
        if any(found):
            expected = [[inner / f"{modality}.nii.gz"] for modality in modalities]
            cases.append(_of_candidates(inner.name, [f or e for f, e in zip(found, expected, strict=True)]))
    return cases


def _of_modality(files, modality, modalities):
    """The files called after a modality, or else those whose names have it. A T1_IR is no T1, and a T2_FLAIR no T2."""

    def has(name, modality):
        return re.fullmatch(f"(.*[-_])?{_named(modality)}([-_].*)?", name, re.IGNORECASE)

    exact = [path for name, path in files.items() if re.fullmatch(_named(modality), name, re.IGNORECASE)]
    longer = [other for other in modalities if other != modality and has(other, modality)]
    longer += [other for other in LONGER if other.startswith(f"{_unweighted(modality)}_")]
    return exact or [
        path for name, path in files.items() if has(name, modality) and not any(has(name, other) for other in longer)
    ]
