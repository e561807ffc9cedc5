"""MRBrainS13: `TrainingData/N` and `TestData/N` with `T1`, `T1_IR`, `T2_FLAIR` and, in training, label maps.

`T1_1mm` lies on another grid, and is never paired with the others.
"""

from pathlib import Path

from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.errors import InputError
from tf_msgan.io.folders import names_in
from tf_msgan.io.read_volumes import find_volume
from tf_msgan.preprocessing.reserved_values import IGNORE

MODALITIES = ("T1", "T1_IR", "T2_FLAIR")
PARTS = {"training": "TrainingData", "test": "TestData"}
TISSUES = ("CSF", "GM", "WM")
# Cortex and basal ganglia; white matter and its lesions; CSF outside the cerebrum and ventricles. Cerebellum (7) and
# brain stem (8) belong to none.
EIGHT_STRUCTURES = LabelTable(TISSUES, {0: 0, 1: 2, 2: 2, 3: 3, 4: 3, 5: 1, 6: 1, 7: IGNORE, 8: IGNORE})
# The merged coding cannot tell cerebellum and brain stem from the background.
THREE_TISSUES = LabelTable(TISSUES, {0: 0, 1: 1, 2: 2, 3: 3})
# By the name of the label map.
CODINGS = {"LabelsForTraining": EIGHT_STRUCTURES, "LabelsForTesting": THREE_TISSUES}


def matches(root: Path) -> bool:
    return (root / PARTS["training"]).is_dir()


def read_mrbrains(root: Path, labels: LabelTable | None = None) -> Cohort:
    """Finds the subjects of `root`; their ids are `"training-1"`, …, `"test-1"`, …. Label maps are those of the eight
    structures, if every labelled subject has one.

    Raises:
        InputError: there is no subject, or no coding that all labelled subjects have.
    """
    folders = {
        f"{part}-{number}": root / name / number
        for part, name in PARTS.items()
        for number in sorted(names_in(root / name), key=lambda number: (len(number), number))
        if (root / name / number).is_dir() and not number.startswith(".")
    }
    if not folders:
        raise InputError(root, "no folder TrainingData/N", "the MRBrainS13 layout: {TrainingData,TestData}/N/T1.nii")
    maps = {name: {subject_id: find_volume(folder, name) for subject_id, folder in folders.items()} for name in CODINGS}
    labelled = [subject_id for subject_id in folders if any(maps[name][subject_id] for name in CODINGS)]
    coding = next((name for name in CODINGS if all(maps[name][subject_id] for subject_id in labelled)), None)
    if coding is None:
        raise InputError(root, "labelled subjects with different codings", f"all with one of {', '.join(CODINGS)}")
    subjects = {}
    for subject_id, folder in folders.items():
        images = tuple(find_volume(folder, name) for name in MODALITIES)
        subjects[subject_id] = Subject(subject_id, images, maps[coding][subject_id])
    return Cohort("mrbrains", root, MODALITIES, labels or CODINGS[coding], subjects, crop="nonzero")
