"""iSEG-2017 and 2019: `subject-N-{T1,T2,label}` as Analyze pairs, or converted to NIfTI."""

import re

from tf_msgan.data.cohort import Cohort, Subject
from tf_msgan.data.labels import LabelTable
from tf_msgan.data.volumes import SUFFIXES
from tf_msgan.errors import InputError

MODALITIES = ("T1", "T2")
LABELS = LabelTable(("CSF", "GM", "WM"), {0: 0, 10: 1, 150: 2, 250: 3})


def read_iseg(root) -> Cohort:
    """Finds the subjects of `root`; their ids are their numbers, `"1"`, `"2"`, ….

    Raises:
        InputError: there is no subject, or one lacks a modality.
    """
    files = {}
    for path in sorted(root.iterdir()):
        match = re.fullmatch(r"subject-(\d+)-(T1|T2|label)(\.nii\.gz|\.nii|\.hdr)", path.name)
        if match:
            number, kind, suffix = match.groups()
            known = files.setdefault(int(number), {}).setdefault(kind, path)
            if known != path and SUFFIXES.index(suffix) < SUFFIXES.index("".join(known.suffixes)):
                files[int(number)][kind] = path
    if not files:
        raise InputError(root, "no file subject-N-T1", "the iSEG layout: subject-N-{T1,T2,label}.{hdr,nii,nii.gz}")
    subjects = {}
    for number, kinds in sorted(files.items()):
        for modality in MODALITIES:
            if modality not in kinds:
                expected = f"subject-{number}-{modality} with {', '.join(SUFFIXES)}"
                raise InputError(root, f"no {modality} for subject {number}", expected)
        images = tuple(kinds[modality] for modality in MODALITIES)
        subjects[str(number)] = Subject(str(number), images, kinds.get("label"))
    return Cohort("iseg", root, MODALITIES, LABELS, subjects)
