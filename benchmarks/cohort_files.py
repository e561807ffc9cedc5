"""A cohort of files that every tool reads: nnU-Net's folders, of infant phantoms at 1 mm."""

import numpy as np

from tf_msgan.io.atomic_files import write_json
from tf_msgan.io.write_volumes import write_new_nifti
from tf_msgan.phantoms.infant import make_infant
from tf_msgan.phantoms.phantom_cohort import MARK

# So many phantoms are drawn; the subjects are these again and again, since only their sizes matter to the time.
DRAWN = 4

LABELS = {"background": 0, "CSF": 1, "GM": 2, "WM": 3}


def write_files(folder, subjects: int):
    """Writes `imagesTr/sub-NN_0000.nii.gz` (T1) and `_0001` (T2), `labelsTr/sub-NN.nii.gz`, and `dataset.json`."""
    phantoms = [make_infant(number, spacing=1, seed=0) for number in range(1, DRAWN + 1)]
    for number in range(subjects):
        phantom = phantoms[number % DRAWN]
        for channel, image in enumerate((phantom.t1, phantom.t2)):
            path = folder / "imagesTr" / f"sub-{number + 1:02}_000{channel}.nii.gz"
            write_new_nifti(path, image, (1, 1, 1))
        write_new_nifti(folder / "labelsTr" / f"sub-{number + 1:02}.nii.gz", phantom.labels.astype(np.uint8), (1, 1, 1))
    about = {"channel_names": {"0": "T1", "1": "T2"}, "labels": LABELS}
    write_json(folder / "dataset.json", {**about, "numTraining": subjects, "file_ending": ".nii.gz"})
    write_json(folder / MARK, {"preset": "infant", "spacing_mm": 1, "seed": 0})
