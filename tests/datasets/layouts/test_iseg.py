"""The layout of iSEG-2017."""

import nibabel as nib
import numpy as np
import pytest

from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan


def test_iseg_subjects(tiny_cohort):
    assert list(tiny_cohort.subjects) == ["1", "2", "3", "4", "5", "6", "7"]
    assert tiny_cohort.modalities == ("T1", "T2")
    assert [s.label is not None for s in tiny_cohort.subjects.values()] == [True] * 5 + [False] * 2


def test_converted_copies_read_the_same(tiny_cohort, tmp_path):
    for path in tiny_cohort.root.glob("*.hdr"):
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)[..., 0]
        nib.save(nib.Nifti1Image(data, image.affine), tmp_path / f"{path.stem}.nii.gz")
    converted = read_cohort(tmp_path, "iseg")
    assert list(converted.subjects) == list(tiny_cohort.subjects)
    one, other = (load_scan(cohort, "3", with_labels=True) for cohort in (converted, tiny_cohort))
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.labels, other.labels)
    assert one.spacing == pytest.approx(other.spacing)
