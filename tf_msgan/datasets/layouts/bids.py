"""BIDS: `sub-*/[ses-*/]anat/*_{T1w,T2w,FLAIR,PDw}.nii.gz`, with label maps in `derivatives/**/*_dseg.nii.gz`."""

import json
import re

from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.find_cases import find_anat_folders, find_bids_cases
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.label_table_files import BIDS, read_label_table
from tf_msgan.errors import InputError
from tf_msgan.io.folders import files_below

SUFFIXES = ("T1w", "T2w", "FLAIR", "PDw")
DSEG = "_dseg.nii.gz"
DESCRIPTION = "dataset_description.json"
# FreeSurfer's, which fMRIPrep writes beside its own, have other codes; …
OTHERS = ("aseg", "aparcaseg")
# … and label maps in a template's space lie on another grid than the scan.
OWN_SPACES = (None, "T1w", "T2w", "orig", "scanner", "individual")
# What is said of a label map alone; all other entities say of which scan it is.
OF_MAPS = {"space", "desc", "label", "res", "den", "atlas", "seg", "scale", "hemi"}


def matches(root) -> bool:
    return bool(find_anat_folders(root))


def read_bids(root, labels: LabelTable | None = None) -> Cohort:
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
    needed = [id for id in existing if maps_of[id]] or list(existing)
    there = [n for n in range(len(SUFFIXES)) if all(existing[id][n] for id in needed)]
    subjects = {}
    for id, files in existing.items():
        images = tuple(files[n] for n in there)
        if any(images):
            subjects[id] = Subject(id, images, maps_of[id], person=f"sub-{_entities(id)['sub']}")
    modalities = tuple(SUFFIXES[n] for n in there)
    if not modalities:
        raise InputError(root, "no modality that all labelled scans have", f"one of {', '.join(SUFFIXES)}")
    left_out = {
        name: next(id for id in needed if not existing[id][n])
        for n, name in enumerate(SUFFIXES)
        if n not in there and any(files[n] for files in existing.values())
    }
    table = labels or _read_table(root, maps_of.values())
    scans = [_entities(id) for id in existing]
    stray = tuple(path for path, entities in maps if not any(_fits(entities, scan) for scan in scans))
    return Cohort("bids", root, modalities, table, subjects, left_out=left_out, stray=stray)


def _entities(name):
    """The entities of a file's name, as `{"sub": "01", "space": "T1w"}`; `run-01` is `run-1`."""
    name = re.sub(r"_run-0+(?=\d)", "_run-", name)
    # Labels as they come: `sub-HC-01` is not BIDS, but no other's than `sub-HC-02`.
    return dict(re.findall(r"(?:^|_)([a-z]+)-([^_]*)", name))


def _find_label_maps(root):
    """The label maps in the scans' own space, but for those that this project predicted: they are no truth."""
    maps = []
    for path in sorted(path for path in files_below(root / "derivatives") if path.name.endswith(DSEG)):
        entities = _entities(path.name)
        if entities.get("space") in OWN_SPACES and entities.get("desc") not in OTHERS and not _is_ours(path, root):
            maps.append((path, entities))
    return maps


def _folders(path, root):
    """The folders of a label map below `derivatives`: what is said of all derivatives is said of no one's maps."""
    return [folder for folder in path.parents if folder.parent.is_relative_to(root / "derivatives")]


def _is_ours(path, root):
    """Whether a prediction's sidecar lies beside it, or a description that names this project above it."""
    sidecar = _read_json(path.with_name(path.name.removesuffix(".nii.gz") + ".json"))
    return "OutlineFailed" in sidecar or any(map(is_described_as_ours, _folders(path, root)))


def is_described_as_ours(folder) -> bool:
    """Whether the `dataset_description.json` of a folder names this project as who made it."""
    makers = _read_json(folder / DESCRIPTION).get("GeneratedBy")
    makers = makers if isinstance(makers, list) else [makers]
    return any(isinstance(maker, dict) and maker.get("Name") == "tf_msgan" for maker in makers)


def _read_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _assign(cases, maps, root):
    """The label map of each case by id, or None; one map is one case's."""
    labels, taken = {}, set()
    for case in cases:
        fits = [path for path in _label_maps_of(case.id, maps) if path not in taken]
        if len(fits) > 1:
            names = ", ".join(str(path.relative_to(root)) for path in fits)
            raise InputError(root, f"the label maps {names}", f"one for {case.id}")
        labels[case.id] = fits[0] if fits else None
        taken.update(fits)
    return labels


def _label_maps_of(id, maps):
    """The label maps that fit; plain ones before those with a description, as `desc-manual`."""
    scan = _entities(id)
    fits = [(path, entities) for path, entities in maps if _fits(entities, scan)]
    plain = [path for path, entities in fits if "desc" not in entities]
    return plain or [path for path, _ in fits]


def _fits(entities, scan):
    """Whether a label map is of the scan's subject and session, and of no other run, acquisition, contrast agent, …"""
    return entities.get("ses") == scan.get("ses") and all(
        entities.get(key) == scan.get(key) for key in {"sub", *entities} - OF_MAPS
    )


def _read_table(root, labels):
    """The table of all label maps: beside each, or above it up to the derivative's top.

    Raises:
        InputError: they have different ones.
    """
    tables = {}
    for label in filter(None, labels):
        beside = label.with_name(label.name.removesuffix(".nii.gz") + ".tsv")
        above = [folder / "dseg.tsv" for folder in _folders(label, root)]
        path = next((path for path in (beside, *above) if path.is_file()), None)
        tables[label] = read_label_table(str(path)) if path else BIDS
    first = next(iter(tables), None)
    for label, table in tables.items():
        if table != tables[first]:
            raise InputError(label, "other codes", f"those of {first}, or --labels for all")
    return tables[first] if first else BIDS
