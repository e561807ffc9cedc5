"""Finds the scans of a folder, as they come."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tf_msgan.datasets.cases import Case, Cases, checked_cases
from tf_msgan.datasets.modality_names import BRAIN, LONGER, find_modality, name_pattern, unweighted
from tf_msgan.datasets.nnunet_description import find_channels
from tf_msgan.errors import InputError
from tf_msgan.io.folders import is_there, names_in
from tf_msgan.io.read_volumes import SUFFIXES


def find_cases(folder: Path, modalities: Sequence[str]) -> Cases:
    """Finds the cases of a folder: of nnU-Net (`CASE_0000.nii.gz`, `CASE_0001.nii.gz`, …; which channel is which
    modality is said by a `dataset.json` in the folder or above it, or else by their order), of BIDS
    (`sub-*/[ses-*/]anat/*_T1w.nii.gz`, …), with files `CASE_T1.nii.gz`, `CASE-T1.hdr` or `CASE_T1w_brain.nii` side by
    side, or with a folder a case. A case that lacks a modality is kept: reading it will say so.

    Raises:
        InputError: there is no such folder, or it is laid out in another way.
    """
    if not folder.is_dir():
        raise InputError(folder, "no such folder", "a folder of scans")
    for naming, find in (
        ("nnunet", _nnunet),
        ("bids", find_bids_cases),
        ("plain", _side_by_side),
        ("plain", _folders),
    ):
        cases = find(folder, modalities)
        if cases:
            return checked_cases(folder, naming, cases)
    expected = f"CASE_0000.nii.gz (nnU-Net), sub-*/anat (BIDS), CASE_{modalities[0]}.nii.gz, or a folder a case"
    raise InputError(folder, f"no scan of {', '.join(modalities)}", expected)


def volumes_in(folder: Path) -> dict[str, Path]:
    """Finds the volumes in a folder, by what comes before their ending; .nii.gz goes before .nii and .hdr.

    Raises:
        InputError: it may not be read.
    """
    names = [name for name in names_in(folder) if not name.startswith(".")]
    found = {}
    for suffix in reversed(SUFFIXES):
        for name in names:
            if name.endswith(suffix):
                found[name.removesuffix(suffix)] = folder / name
    return dict(sorted(found.items()))


def find_nnunet_cases(folder: Path, modalities: Sequence[str], channels: Sequence[str] | None = None) -> list[Case]:
    """Finds the cases `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, … of a folder, not all of whose files need exist.

    Args:
        folder: of the files.
        modalities: names of those that are wanted.
        channels: names of all, by their numbers; by default the modalities.

    Raises:
        InputError: a case has a channel beyond them.
    """
    channels = tuple(modalities if channels is None else channels)
    files = volumes_in(folder)
    marks = [f"_{n:04}" for n in range(len(channels))]
    found: dict[str, str] = {}
    for name, path in files.items():
        if name.endswith(tuple(marks)):
            found.setdefault(name[:-5], path.name.removeprefix(name))
    for name, path in files.items():
        # Cases that are numbered in four digits look like the channels of one.
        if name[:-5] in found and re.fullmatch(r"_\d{4}", name[-5:]) and not name.endswith(tuple(marks)):
            raise InputError(path, f"channel {name[-4:]}", f"0000 to {marks[-1][1:]}: {', '.join(channels)}")
    wanted = [marks[channels.index(modality)] for modality in modalities]
    return [
        Case(case_id, tuple(files.get(case_id + mark, folder / f"{case_id}{mark}{ending}") for mark in wanted))
        for case_id, ending in found.items()
    ]


def _nnunet(folder: Path, modalities: Sequence[str]) -> list[Case]:
    path, channels = find_channels(folder)
    if not channels:
        return find_nnunet_cases(folder, modalities)
    numbers = [find_modality(modality, channels) for modality in modalities]
    wanted = [channels[n] for n in numbers if n is not None]
    if len(wanted) == len(modalities):
        return find_nnunet_cases(folder, wanted, channels)
    if find_nnunet_cases(folder, channels):
        raise InputError(
            path, f"the channels {', '.join(channels)}", f"{', '.join(modalities)} among them, or a --list"
        )
    return []


def find_bids_cases(folder: Path, modalities: Sequence[str]) -> list[Case]:
    """Finds the cases `sub-*/[ses-*/]anat/*_T1w.nii.gz`, … of a folder. Files of one name but for the modality are a
    case; what else a session has only one of belongs to its first case, whatever its acquisition is called.

    Raises:
        InputError: a folder may not be read.
    """
    cases = []
    for anat in find_anat_folders(folder):
        files = volumes_in(anat)
        by_entities: dict[str, dict[int, Path]] = {}
        for n, modality in enumerate(modalities):
            matches = (re.fullmatch(f"(sub-.+)_{name_pattern(modality)}", name) for name in files)
            of_it = {match[1]: files[match[0]] for match in matches if match}
            first = next(iter(by_entities), "")
            for entities, path in of_it.items():
                joins_first = first and len(of_it) == 1 and entities not in by_entities
                by_entities.setdefault(first if joins_first else entities, {})[n] = path
        for entities, images in by_entities.items():
            expected = [anat / f"{entities}_{_bids_suffix(modality)}.nii.gz" for modality in modalities]
            found = tuple(images.get(n, path) for n, path in enumerate(expected))
            cases.append(Case(entities, found, anat.relative_to(folder)))
    return cases


def find_anat_folders(folder: Path) -> list[Path]:
    """Finds BIDS's `sub-*/anat` and `sub-*/ses-*/anat`, but for links that lead to one of them.

    Raises:
        InputError: a folder may not be read.
    """
    subjects = [folder / name for name in names_in(folder) if name.startswith("sub-")]
    found: dict[Path, Path] = {}
    for subject in subjects:
        sessions = [subject / name for name in names_in(subject) if name.startswith("ses-")]
        # Links come last, so that what they lead to is not called after them.
        for parent in (subject, *sorted(sessions, key=Path.is_symlink)):
            if is_there(parent / "anat"):
                found.setdefault((parent / "anat").resolve(), parent / "anat")
    return sorted(found.values())


def _bids_suffix(modality: str) -> str:
    return f"{modality}w" if modality in ("T1", "T2", "PD") else modality


def _side_by_side(folder: Path, modalities: Sequence[str]) -> list[Case]:
    files = volumes_in(folder)
    found: dict[str, dict[int, list[Path]]] = {}
    for n, modality in enumerate(modalities):
        for name, path in files.items():
            match = re.fullmatch(f"(.+?)[-_]{name_pattern(modality)}{BRAIN}", name, re.IGNORECASE)
            if match:
                found.setdefault(match[1], {}).setdefault(n, []).append(path)

    def expected(case_id: str, n: int) -> Path:
        path = next(iter(found[case_id].values()))[0]
        suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
        return path.with_name(f"{path.name[: len(case_id) + 1]}{modalities[n]}{suffix}")

    return [
        _of_candidates(case_id, [of_it.get(n) or [expected(case_id, n)] for n in range(len(modalities))])
        for case_id, of_it in found.items()
    ]


def _of_candidates(case_id: str, candidates: list[list[Path]]) -> Case:
    """Makes a case of the files that each of its modalities may be."""
    unclear = next((tuple(files) for files in candidates if len(files) > 1), ())
    return Case(case_id, tuple(files[0] for files in candidates), unclear=unclear)


def _folders(folder: Path, modalities: Sequence[str]) -> list[Case]:
    cases = []
    for inner in (folder / name for name in names_in(folder) if (folder / name).is_dir()):
        files = volumes_in(inner)
        found = [_of_modality(files, modality, modalities) for modality in modalities]
        if any(found):
            expected = [[inner / f"{modality}.nii.gz"] for modality in modalities]
            cases.append(_of_candidates(inner.name, [f or e for f, e in zip(found, expected, strict=True)]))
    return cases


def _of_modality(files: Mapping[str, Path], modality: str, modalities: Sequence[str]) -> list[Path]:
    """The files called after a modality, or else those whose names have it. A T1_IR is no T1, and a T2_FLAIR no T2."""

    def has(name: str, modality: str) -> bool:
        return bool(re.fullmatch(f"(.*[-_])?{name_pattern(modality)}([-_].*)?", name, re.IGNORECASE))

    exact = [path for name, path in files.items() if re.fullmatch(name_pattern(modality), name, re.IGNORECASE)]
    longer = [other for other in modalities if other != modality and has(other, modality)]
    longer += [other for other in LONGER if other.startswith(f"{unweighted(modality)}_")]
    return exact or [
        path for name, path in files.items() if has(name, modality) and not any(has(name, other) for other in longer)
    ]
