"""The layout of ALBERT's neonates."""

import numpy as np

from tests.conftest import save_nifti, tiny_brain
from tf_msgan.datasets.cohort import read_labels
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.io.images import read_images
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_albert(tmp_path):
    """Two neonates as tiny as they come, a cerebellum and an unlabelled rim, the left of the first axis first."""
    las = np.diag([-1.0, 1, 1, 1])
    for number in (1, 2):
        t1, t2, classes = tiny_brain(number)
        # The rim of CSF is 0, as what is outside; a lateral ventricle, GM, WM and the cerebellum have codes.
        codes = np.array([0, 0, 3, 2], np.uint8)[classes]
        codes[14, 16, 15], codes[14, 17, 15] = 4, 8
        folder = tmp_path / f"Template{number:02}"
        for name, data in (("T1w_brain", t1), ("T2w_brain", t2), ("Segmentation", codes)):
            save_nifti(folder / f"{name}.nii.gz", data, las)
    cohort = read_cohort(tmp_path)
    assert (cohort.layout, cohort.crop, cohort.modalities) == ("albert", "brain", ("T1", "T2"))
    assert list(cohort.subjects) == ["01", "02"] and cohort.labels.tissues == ("CSF", "GM", "WM")
    t1, t2, expected = tiny_brain(1)
    expected[14, 16, 15], expected[14, 17, 15] = 1, IGNORE
    volumes = read_images(cohort.subjects["01"].images)
    assert all(np.array_equal(volume.data, image) for volume, image in zip(volumes, (t1, t2), strict=True))
    labels = read_labels(cohort, "01", volumes)
    # CSF that has no code is so inside the brain alone.
    assert np.array_equal(labels, expected) and {0, 1, 2, 3, IGNORE} == set(np.unique(labels))
