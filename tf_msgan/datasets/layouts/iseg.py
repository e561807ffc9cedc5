"""iSEG-2017 and 2019: `subject-N-{T1,T2,label}` as Analyze pairs, or converted to NIfTI."""

import re
from pathlib import Path

from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.errors import InputError
from tf_msgan.io.folders import names_in
from tf_msgan.io.read_volumes import SUFFIXES

MODALITIES = ("T1", "T2")
LABELS = LabelTable(("CSF", "GM", "WM"), {0: 0, 10: 1, 150: 2, 250: 3})


def matches(root: Path) -> bool:
    return any(root.glob("subject-*-T[12].*"))


def read_iseg(root: Path, labels: LabelTable | None = None) -> Cohort:
    """Finds the subjects of `root`; their ids are their numbers, `"1"`, `"2"`, ….

    Raises:
        InputError: there is no subject.
    """
    names = names_in(root)
    files: dict[int, dict[str, Path]] = {}
    # A copy in .nii.gz goes before one in .nii, and that before one in .hdr.
    for suffix in reversed(SUFFIXES):
        for name in names:
            match = re.fullmatch(rf"subject-(\d+)-(T1|T2|label){re.escape(suffix)}", name)
            if match:
                files.setdefault(int(match[1]), {})[match[2]] = root / name
    if not files:
        raise InputError(root, "no file subject-N-T1", "the iSEG layout: subject-N-{T1,T2,label}.{hdr,nii,nii.gz}")
    subjects = {
        str(number): Subject(str(number), tuple(kinds.get(name) for name in MODALITIES), kinds.get("label"))
        for number, kinds in sorted(files.items())
    }
    return Cohort("iseg", root, MODALITIES, labels or LABELS, subjects, crop="brain")
