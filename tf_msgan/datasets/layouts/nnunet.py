"""nnU-Net's folders: `imagesTr/CASE_0000.nii.gz`, …, `labelsTr/CASE.nii.gz`, `imagesTs` and `dataset.json`; unlabelled
scans lie in `imagesUn`, or in `imagesTr` without a label map."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.find_cases import find_nnunet_cases, volumes_in
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.nnunet_description import DESCRIPTION, read_description
from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import find_volume


def matches(root: Path) -> bool:
    return (root / "imagesTr").is_dir()


def read_nnunet(root: Path, labels: LabelTable | None = None) -> Cohort:
    """Finds the subjects of `root`; their ids are the cases' names. What lies in `imagesTs` is held out.

    Raises:
        InputError: there is no case, a case occurs twice, or `dataset.json` is missing or wrong.
    """
    modalities, labels = read_description(root / DESCRIPTION, labels)
    subjects = {}
    for part in ("Tr", "Un", "Ts"):
        for case in find_nnunet_cases(root / f"images{part}", modalities):
            if case.id in subjects:
                raise InputError(case.images[0], f"the case {case.id} again", "each case in one folder")
            label = None if part == "Un" else find_volume(root / f"labels{part}", case.id)
            subjects[case.id] = Subject(case.id, case.existing(), label, held_out=part == "Ts")
    if not subjects:
        raise InputError(root, "no case", "nnU-Net's layout: imagesTr/CASE_0000.nii.gz")
    stray = [path for part in ("Tr", "Ts") for path in _without_scan(root / f"labels{part}", subjects)]
    return Cohort("nnunet", root, modalities, labels, subjects, stray=tuple(stray))


def _without_scan(folder: Path, subjects: Mapping[str, Subject]) -> Iterator[Path]:
    """The label maps of a folder that are of no subject."""
    for case_id, path in volumes_in(folder).items():
        label = subjects[case_id].label if case_id in subjects else None
        if label is None or label.parent != folder:
            yield path
