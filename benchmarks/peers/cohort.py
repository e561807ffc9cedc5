"""The files of `benchmarks.cohort_files`, by subject."""

from pathlib import Path


def read_subjects(folder) -> list[dict]:
    labels = sorted((Path(folder) / "labelsTr").glob("*.nii.gz"))
    name = "imagesTr/{}_000{}.nii.gz"
    return [
        {"image": [str(Path(folder) / name.format(path.name.removesuffix(".nii.gz"), channel)) for channel in (0, 1)]}
        | {"label": str(path)}
        for path in labels
    ]
