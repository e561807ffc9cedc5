"""Tiny cohorts in the layouts that several tests read."""

import json

import numpy as np

from tests.conftest import save_nifti, tiny_brain


def write_bids(root, labelled=3, subjects=5):
    """GM 1, WM 2, CSF 3, as BIDS recommends."""
    for number in range(1, subjects + 1):
        t1, t2, classes = tiny_brain(number)
        anat = root / f"sub-{number:02}" / "anat"
        save_nifti(anat / f"sub-{number:02}_T1w.nii.gz", t1)
        save_nifti(anat / f"sub-{number:02}_T2w.nii.gz", t2)
        if number <= labelled:
            codes = np.array([0, 3, 1, 2], np.uint8)[classes]
            save_nifti(root / f"derivatives/manual/sub-{number:02}/anat/sub-{number:02}_dseg.nii.gz", codes)
    (root / "dataset_description.json").write_text('{"Name": "tiny", "BIDSVersion": "1.9.0"}')
    return root


def write_nnunet(root, labelled=3, names=None, version=2):
    labels = names or {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    if version == 2:
        description = {"channel_names": {"0": "T1", "1": "T2"}, "labels": labels, "file_ending": ".nii.gz"}
    else:
        description = {"modality": {"0": "T1", "1": "T2"}, "labels": {str(code): name for name, code in labels.items()}}
    root.mkdir(parents=True)
    (root / "dataset.json").write_text(json.dumps(description))
    for number in range(1, labelled + 5):
        part = "Tr" if number <= labelled else "Un" if number <= labelled + 2 else "Ts"
        t1, t2, classes = tiny_brain(number)
        for channel, image in enumerate((t1, t2)):
            save_nifti(root / f"images{part}" / f"case_{number:02}_{channel:04}.nii.gz", image)
        if part == "Tr" or number == labelled + 3:
            save_nifti(root / f"labels{part}" / f"case_{number:02}.nii.gz", classes)
    return root
