"""ALBERT neonates as in DCAN-Labs/dcan-infant-pipeline: `TemplateNN/{T1w_brain,T2w_brain,Segmentation}.nii.gz`."""

from tf_msgan.data.cohort import Cohort, Subject
from tf_msgan.data.labels import IGNORE, LabelTable
from tf_msgan.errors import InputError

MODALITIES = ("T1", "T2")
FILES = ("T1w_brain.nii.gz", "T2w_brain.nii.gz")

# FreeSurfer's codes. Cerebellum (8, 47, 172), brain stem (16) and anything not listed count neither in loss nor Dice.
CSF_CODES = (4, 14, 15, 24, 43)
GM_CODES = (3, 10, 11, 12, 13, 17, 18, 26, 28, 42, 49, 50, 51, 52, 53, 54, 58, 60)
WM_CODES = (2, 41)
LABELS = LabelTable(
    ("CSF", "GM", "WM"),
    {0: 0, **dict.fromkeys(CSF_CODES, 1), **dict.fromkeys(GM_CODES, 2), **dict.fromkeys(WM_CODES, 3)},
    unlisted=IGNORE,
    zero_in_brain=1,
)


def read_albert(root) -> Cohort:
    """Finds the subjects of `root`; their ids are their numbers, `"01"`, `"02"`, ….

    Raises:
        InputError: there is no subject, or one lacks a modality.
    """
    subjects = {}
    for folder in sorted(path for path in root.glob("Template*") if path.is_dir()):
        number = folder.name.removeprefix("Template")
        for name in FILES:
            if not (folder / name).exists():
                raise InputError(folder, f"no {name}", f"{', '.join(FILES)} for every subject")
        label = folder / "Segmentation.nii.gz"
        subjects[number] = Subject(number, tuple(folder / name for name in FILES), label if label.exists() else None)
    if not subjects:
        raise InputError(root, "no folder TemplateNN", f"the ALBERT layout: TemplateNN/{{{','.join(FILES)}}}")
    return Cohort("albert", root, MODALITIES, LABELS, subjects)
