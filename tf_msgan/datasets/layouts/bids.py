"""BIDS: `sub-*/[ses-*/]anat/*_{T1w,T2w,FLAIR,PDw}.nii.gz`, with label maps in `derivatives/**/*_dseg.nii.gz`."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tf_msgan.datasets.cases import Case
from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.find_cases import find_anat_folders, find_bids_cases
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.label_table_files import BIDS, read_label_table
from tf_msgan.errors import InputError
from tf_msgan.io.folders import files_below

SUFFIXES = ("T1w", "T2w", "FLAIR", "PDw")
DSEG = "_dseg.nii.gz"
DESCRIPTION = "dataset_description.json"
# FreeSurfer's label maps, which fMRIPrep writes beside its own, have other codes.
OTHERS = ("aseg", "aparcaseg")
# Label maps in a template's space lie on another grid than the scan.
OWN_SPACES = (None, "T1w", "T2w", "orig", "scanner", "individual")
# These entities describe a label map alone; all others say of which scan it is.
OF_MAPS = {"space", "desc", "label", "res", "den", "atlas", "seg", "scale", "hemi"}

# The entities of a name, as `{"sub": "01", "space": "T1w"}`.
Entities = dict[str, str]


def matches(root: Path) -> bool:
    return bool(find_anat_folders(root))


def read_bids(root: Path, labels: LabelTable | None = None) -> Cohort:
    """Finds the scans of `root`; their ids are their entities, as `sub-01` or `sub-01_ses-1_run-2`.

    Modalities are those that every labelled scan has. Codes are what the `dseg.tsv` beside the label maps, or above
    them in their derivative, says; without one, those that BIDS recommends.

    Raises:
        InputError: there is no scan, no modality that all labelled scans have, several label maps for a scan, or label
            maps with different tables.
    """
    cases, maps = find_bids_cases(root, SUFFIXES), _find_label_maps(root)
    if not cases:
        raise InputError(root, "no scan", f"BIDS: sub-*/anat/*_{{{','.join(SUFFIXES)}}}.nii.gz")
    maps_of = _assign(cases, maps, root)
    existing = {case.id: case.existing() for case in cases}
    needed = [case_id for case_id in existing if maps_of[case_id]] or list(existing)
    there = [n for n in range(len(SUFFIXES)) if all(existing[case_id][n] for case_id in needed)]
    subjects = {}
    for case_id, files in existing.items():
        images = tuple(files[n] for n in there)
        if any(images):
            person = f"sub-{_entities(case_id)['sub']}"
            subjects[case_id] = Subject(case_id, images, maps_of[case_id], person=person)
    modalities = tuple(SUFFIXES[n] for n in there)
    if not modalities:
        raise InputError(root, "no modality that all labelled scans have", f"one of {', '.join(SUFFIXES)}")
    left_out = {
        name: next(case_id for case_id in needed if not existing[case_id][n])
        for n, name in enumerate(SUFFIXES)
        if n not in there and any(files[n] for files in existing.values())
    }
    table = labels or _read_table(root, maps_of.values())
    scans = [_entities(case_id) for case_id in existing]
    stray = tuple(path for path, entities in maps if not any(_fits(entities, scan) for scan in scans))
    return Cohort("bids", root, modalities, table, subjects, left_out=left_out, stray=stray)


def _entities(name: str) -> Entities:
    """The entities of a file's name; `run-01` is `run-1`."""
    name = re.sub(r"_run-0+(?=\d)", "_run-", name)
    # Labels as they come: `sub-HC-01` is not BIDS, but no other's than `sub-HC-02`.
    return dict(re.findall(r"(?:^|_)([a-z]+)-([^_]*)", name))


def _find_label_maps(root: Path) -> list[tuple[Path, Entities]]:
    """The label maps in the scans' own space, but for those that this project predicted: they are no truth."""
    maps = []
    for path in sorted(path for path in files_below(root / "derivatives") if path.name.endswith(DSEG)):
        entities = _entities(path.name)
        if entities.get("space") in OWN_SPACES and entities.get("desc") not in OTHERS and not _is_ours(path, root):
            maps.append((path, entities))
    return maps


def _folders(path: Path, root: Path) -> list[Path]:
    """The folders of a label map below `derivatives`: what describes all derivatives describes no one's maps."""
    return [folder for folder in path.parents if folder.parent.is_relative_to(root / "derivatives")]


def _is_ours(path: Path, root: Path) -> bool:
    """Whether a prediction's sidecar lies beside it, or a description that names this project above it."""
    sidecar = _read_json(path.with_name(path.name.removesuffix(".nii.gz") + ".json"))
    return "OutlineFailed" in sidecar or any(map(is_described_as_ours, _folders(path, root)))


def is_described_as_ours(folder: Path) -> bool:
    """Whether the `dataset_description.json` of a folder names this project as who made it."""
    makers = _read_json(folder / DESCRIPTION).get("GeneratedBy")
    makers = makers if isinstance(makers, list) else [makers]
    return any(isinstance(maker, dict) and maker.get("Name") == "tf_msgan" for maker in makers)


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty if it holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _assign(cases: Sequence[Case], maps: Sequence[tuple[Path, Entities]], root: Path) -> dict[str, Path | None]:
    """The label map of each case by id, or None; one map is one case's."""
    labels: dict[str, Path | None] = {}
    taken: set[Path] = set()
    for case in cases:
        fits = [path for path in _label_maps_of(case.id, maps) if path not in taken]
        if len(fits) > 1:
            names = ", ".join(str(path.relative_to(root)) for path in fits)
            raise InputError(root, f"the label maps {names}", f"one for {case.id}")
        labels[case.id] = fits[0] if fits else None
        taken.update(fits)
    return labels


def _label_maps_of(case_id: str, maps: Sequence[tuple[Path, Entities]]) -> list[Path]:
    """The label maps that fit: the plain ones, or else those with a description, as `desc-manual`."""
    scan = _entities(case_id)
    fits = [(path, entities) for path, entities in maps if _fits(entities, scan)]
    plain = [path for path, entities in fits if "desc" not in entities]
    return plain or [path for path, _ in fits]


def _fits(entities: Entities, scan: Entities) -> bool:
    """Whether a label map is of the scan's subject and session, and of no other run, acquisition, contrast agent, …"""
    return entities.get("ses") == scan.get("ses") and all(
        entities.get(key) == scan.get(key) for key in {"sub", *entities} - OF_MAPS
    )


def _read_table(root: Path, labels: Iterable[Path | None]) -> LabelTable:
    """Reads the table of all label maps: beside each, or above it up to the derivative's top.

    Raises:
        InputError: they have different ones.
    """
    tables = {}
    for label in filter(None, labels):
        beside = label.with_name(label.name.removesuffix(".nii.gz") + ".tsv")
        above = [folder / "dseg.tsv" for folder in _folders(label, root)]
        path = next((path for path in (beside, *above) if path.is_file()), None)
        tables[label] = read_label_table(str(path)) if path else BIDS
    first, table = next(iter(tables.items()), (root, BIDS))
    for label, other in tables.items():
        if other != table:
            raise InputError(label, "other codes", f"those of {first}, or --labels for all")
    return table
