"""What a folder in nnU-Net's layout holds."""

import json
from pathlib import Path


def describe(folder) -> tuple[int, int, int]:
    """Returns how many modalities and classes it has, and the code of what is to be ignored, or would be."""
    about = json.loads((Path(folder) / "dataset.json").read_text(encoding="utf-8"))
    classes = len(about["labels"].keys() - {"ignore"})
    return len(about["channel_names"]), classes, about["labels"].get("ignore", classes)


def images_of(folder, part: str, subject_id: str) -> list[str]:
    """Returns the files of a case, one a modality; `part` is "Tr" or "Ts"."""
    return sorted(map(str, (Path(folder) / f"images{part}").glob(f"{subject_id}_[0-9][0-9][0-9][0-9].nii.gz")))


def read_subjects(folder) -> list[dict]:
    """Returns the images and the label map of every training case."""
    labels = {path.name.removesuffix(".nii.gz"): path for path in (Path(folder) / "labelsTr").glob("*.nii.gz")}
    return [{"image": images_of(folder, "Tr", name), "label": str(path)} for name, path in sorted(labels.items())]
