"""nnU-Net's folders: `imagesTr/CASE_0000.nii.gz`, …, `labelsTr/CASE.nii.gz`, `imagesTs` and `dataset.json`; unlabelled
scans lie in `imagesUn`, or in `imagesTr` without a label map."""

import json
import operator

from tf_msgan.data.cases import find_nnunet_cases, volumes_in
from tf_msgan.data.cohort import Cohort, Subject
from tf_msgan.data.label_tables import table_of_names
from tf_msgan.data.labels import LabelTable
from tf_msgan.data.volumes import find_volume
from tf_msgan.errors import InputError

DESCRIPTION = "dataset.json"


def matches(root) -> bool:
    return (root / "imagesTr").is_dir()


def read_folder(root, labels: LabelTable | None = None) -> Cohort:
    """Finds the subjects of `root`; their ids are the cases' names. What lies in `imagesTs` is held out.

    Raises:
        InputError: there is no case, a case occurs twice, or `dataset.json` is missing or wrong.
    """
    modalities, labels = _read_description(root / DESCRIPTION, labels)
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
    return Cohort("folder", root, modalities, labels, subjects, stray=tuple(stray))


def _without_scan(folder, subjects):
    """The label maps of a folder that are of no subject."""
    for id, path in volumes_in(folder).items():
        label = subjects[id].label if id in subjects else None
        if label is None or label.parent != folder:
            yield path


def _read_description(path, table):
    """The modalities, and the table of labels: `table`, or the file's own."""
    expected = '{"channel_names": {"0": "T1", …}, "labels": {"background": 0, "CSF": 1, …}, …} as nnU-Net has it'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # The first version said "modality", and had codes for keys.
        channels = content.get("channel_names") or content["modality"]
        modalities = tuple(str(channels[str(n)]) for n in range(len(channels)))
        labels = {} if table else content["labels"]
        if any(isinstance(code, list) for code in labels.values()):
            raise InputError(path, "regions, lists of labels", "a code for each label, or --labels FILE.tsv")
        if not all(str(key).isdigit() for key in labels):
            codes = [operator.index(int(code) if isinstance(code, str) else code) for code in labels.values()]
            if len(set(codes)) < len(codes):
                raise ValueError("a code of two labels")
            labels = dict(zip(codes, labels, strict=True))
        names = {int(code): str(name) for code, name in labels.items()}
    except FileNotFoundError:
        raise InputError(path, "no such file", expected) from None
    except UnicodeDecodeError as error:
        raise InputError(path, f"no text ({error})", expected) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, f"other content ({error!r})", expected) from None
    if not modalities or len(set(modalities)) < len(modalities):
        raise InputError(path, f"the channels {', '.join(modalities) or 'none'}", "one name for each")
    return modalities, table or table_of_names(names, path)
