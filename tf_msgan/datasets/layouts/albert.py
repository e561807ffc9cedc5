"""ALBERT neonates as in DCAN-Labs/dcan-infant-pipeline: `TemplateNN/{T1w_brain,T2w_brain,Segmentation}.nii.gz`."""

import dataclasses
from pathlib import Path

from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.freesurfer import FREESURFER
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.errors import InputError
from tf_msgan.io.folders import names_in
from tf_msgan.io.read_volumes import find_volume

MODALITIES = ("T1", "T2")
FILES = ("T1w_brain", "T2w_brain")
# Outer CSF has no code of its own.
LABELS = dataclasses.replace(FREESURFER, zero_in_brain=1)


def matches(root: Path) -> bool:
    return any(root.glob(f"Template*/{FILES[0]}.*"))


def read_albert(root: Path, labels: LabelTable | None = None) -> Cohort:
    """Finds the subjects of `root`; their ids are their numbers, `"01"`, `"02"`, ….

    Raises:
        InputError: there is no subject.
    """
    subjects = {}
    for folder in (root / name for name in names_in(root) if name.startswith("Template")):
        if folder.is_dir():
            number = folder.name.removeprefix("Template")
            images = tuple(find_volume(folder, name) for name in FILES)
            subjects[number] = Subject(number, images, find_volume(folder, "Segmentation"))
    if not subjects:
        raise InputError(root, "no folder TemplateNN", f"the ALBERT layout: TemplateNN/{{{','.join(FILES)}}}.nii.gz")
    return Cohort("albert", root, MODALITIES, labels or LABELS, subjects, crop="brain")
