"""BIDS: `sub-*/[ses-*/]anat/*_{T1w,T2w,FLAIR,PDw}.nii.gz`, with label maps in `derivatives/**/*_dseg.nii.gz`."""

import json
import re

from tf_msgan.data.cases import find_bids_cases
from tf_msgan.data.cohort import Cohort, Subject
from tf_msgan.data.label_tables import BIDS, read_label_table
from tf_msgan.errors import InputError

SUFFIXES = ("T1w", "T2w", "FLAIR", "PDw")
DSEG = "_dseg.nii.gz"
# Label maps in a template's space lie on another grid than the scan.
OWN_SPACES = (None, "T1w", "T2w", "orig", "scanner", "individual")


def matches(root) -> bool:
    return any(root.glob("sub-*/**/anat"))


def read_bids(root) -> Cohort:
    """Finds the scans of `root`; their ids are their entities, as `sub-01` or `sub-01_ses-1_run-2`.

    Modalities are those that every labelled scan has. Codes are what the `dseg.tsv` beside the label maps, or above
    them in their derivative, says; without one, those that BIDS recommends.

    Raises:
        InputError: there is no scan, or a scan has several label maps.
    """
    # What a session has beside its first modality belongs to that scan.
    suffixes = next((SUFFIXES[n:] for n in range(len(SUFFIXES)) if find_bids_cases(root, SUFFIXES[n:])), None)
    if suffixes is None:
        raise InputError(root, "no scan", f"BIDS: sub-*/anat/*_{{{','.join(SUFFIXES)}}}.nii.gz")
    cases, maps = find_bids_cases(root, suffixes), _find_label_maps(root)
    labels = {case.id: _label_of(case.id, maps, root) for case in cases}
    needed = [case for case in cases if labels[case.id]] or cases
    there = [n for n in range(len(suffixes)) if all(case.images[n].exists() for case in needed)]
    subjects = {}
    for case in cases:
        images = tuple(case.images[n] if case.images[n].exists() else None for n in there)
        subjects[case.id] = Subject(case.id, images, labels[case.id])
    modalities = tuple(suffixes[n] for n in there)
    return Cohort("bids", root, modalities, _read_table(root, labels.values()), subjects)


def _entities(name):
    """The entities of a file's name, as `{"sub": "01", "space": "T1w"}`."""
    return dict(re.findall(r"(?:^|_)([a-z]+)-([a-zA-Z0-9+]+)", name))


def _find_label_maps(root):
    """The label maps in the scans' own space, but for those that this project predicted: they are no truth."""
    maps = []
    for path in sorted((root / "derivatives").glob(f"**/*{DSEG}")):
        derivative = root / "derivatives" / path.relative_to(root / "derivatives").parts[0]
        entities = _entities(path.name)
        if entities.get("space") in OWN_SPACES and entities.get("desc") is None and not _is_ours(derivative):
            maps.append((path, entities))
    return maps


def _is_ours(derivative):
    description = derivative / "dataset_description.json"
    try:
        makers = json.loads(description.read_text(encoding="utf-8")).get("GeneratedBy", [])
        return any(maker.get("Name") == "tf_msgan" for maker in makers)
    except (OSError, ValueError, AttributeError):
        return False


def _label_of(id, maps, root):
    """The label map of a scan: of the same subject and session, and no other run or acquisition."""
    scan = _entities(id)
    fits = [
        path
        for path, entities in maps
        if entities.get("sub") == scan["sub"]
        and entities.get("ses") == scan.get("ses")
        and all(entities[key] == scan.get(key) for key in entities.keys() & {"run", "acq", "rec"})
    ]
    if len(fits) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in fits)
        raise InputError(root, f"the label maps {names}", f"one for {id}")
    return fits[0] if fits else None


def _read_table(root, labels):
    """The table beside the first label map, or above it up to the derivative's top."""
    first = next(filter(None, labels), None)
    if first is None:
        return BIDS
    beside = first.with_name(first.name.removesuffix(".nii.gz") + ".tsv")
    top = root / "derivatives"
    above = [folder / "dseg.tsv" for folder in first.parents if folder.is_relative_to(top) and folder != top]
    table = next((path for path in (beside, *above) if path.is_file()), None)
    return read_label_table(str(table)) if table else BIDS
