"""Writes the cohorts of docs/data.md in other layouts: `python -m benchmarks.layouts nnunet|bids SOURCE DIR`.

nnunet: from adult phantoms: T1 alone, and four tissues, the fourth the hindbrain: cerebellum and brain stem.
bids: from the real neonates in the ALBERT layout, with BIDS's own codes; only the first four are labelled.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.datasets.cohort import read_labels
from tf_msgan.datasets.layouts import present_name, read_cohort
from tf_msgan.io.atomic_files import write_json
from tf_msgan.io.images import read_images
from tf_msgan.io.read_volumes import read_codes
from tf_msgan.io.write_volumes import write_nifti
from tf_msgan.phantoms.phantom_cohort import MARK
from tf_msgan.preprocessing.reserved_values import IGNORE

# MRBrainS13's eight structures as four tissues.
FOUR = np.array([0, 2, 2, 3, 3, 1, 1, 4, 4], np.uint8)
LABELLED = 4


def write_nnunet(source: Path, root: Path):
    cohort = read_cohort(source, "mrbrains")
    names = {"background": 0, "CSF": 1, "GM": 2, "WM": 3, "hindbrain": 4}
    labelled = [subject_id for subject_id, subject in cohort.subjects.items() if subject.label]
    for subject_id, subject in cohort.subjects.items():
        part = "Tr" if subject.label else "Un"
        t1 = read_images(subject.images[:1])[0]
        write_nifti(root / f"images{part}" / f"{subject_id}_0000.nii.gz", t1.data.astype(np.int16), t1)
        if subject.label:
            write_nifti(root / "labelsTr" / f"{subject_id}.nii.gz", FOUR[read_codes(subject.label).data], t1)
    description = {
        "channel_names": {"0": "T1"},
        "labels": names,
        "numTraining": len(labelled),
        "file_ending": ".nii.gz",
    }
    write_json(root / "dataset.json", description)
    shutil.copy(source / MARK, root / MARK)


def write_bids(source: Path, root: Path):
    cohort = read_cohort(source, "albert")
    # CSF, GM and WM, and cerebellum for what is not counted.
    codes = np.zeros(256, np.uint8)
    codes[[1, 2, 3, IGNORE]] = 3, 1, 2, 11
    for number, (subject_id, subject) in enumerate(cohort.subjects.items()):
        volumes = read_images(subject.images)
        for suffix, volume in zip(("T1w", "T2w"), volumes, strict=True):
            write_nifti(root / f"sub-{subject_id}/anat/sub-{subject_id}_{suffix}.nii.gz", volume.data, volume)
        if number < LABELLED:
            labels = codes[read_labels(cohort, subject_id, volumes)]
            folder = root / f"derivatives/manual/sub-{subject_id}/anat"
            write_nifti(folder / f"sub-{subject_id}_dseg.nii.gz", labels, volumes[0])
    write_json(root / "dataset_description.json", {"Name": "ALBERT neonates", "BIDSVersion": "1.9.0"})
    about = {
        "Name": "Segmentations",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "JLF"}],
    }
    write_json(root / "derivatives/manual/dataset_description.json", about)


@exit_on_input_error
def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layouts", description=__doc__)
    parser.add_argument("layout", choices=["nnunet", "bids"], type=present_name)
    parser.add_argument("source", type=Path, help="adult phantoms, or the neonates in the ALBERT layout")
    parser.add_argument("root", metavar="DIR", type=Path, help="a new folder")
    options = parser.parse_args(argv)
    {"nnunet": write_nnunet, "bids": write_bids}[options.layout](options.source, options.root)


if __name__ == "__main__":
    main()
