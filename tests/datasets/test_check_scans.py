"""What is checked before training, and what is chosen from the training subjects alone."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import CODES, tiny_brain
from tf_msgan.config import Preparation
from tf_msgan.datasets.check_scans import check_modalities, check_scans
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.errors import InputError
from tf_msgan.io.write_volumes import write_analyze


def test_a_scan_in_two_roles_is_refused_whatever_it_is_called(tiny_folder, tiny_split):
    """Test subject 5 is unlabelled subject 6 converted to NIfTI and compressed anew."""
    original = nib.load(tiny_folder / "subject-5-T2.hdr")
    check_scans(read_cohort(tiny_folder), tiny_split)
    for path in tiny_folder.glob("subject-6-T2.*"):
        path.unlink()
    copy = tiny_folder / "subject-6-T2.nii"
    nib.save(nib.Nifti1Image(np.asanyarray(original.dataobj), original.affine), copy)
    (tiny_folder / "subject-6-T2.nii.gz").write_bytes(gzip.compress(copy.read_bytes(), 1))
    copy.unlink()
    with pytest.raises(InputError, match=r"subject-5-T2.hdr: found the scan of .*subject-6-T2.nii.gz again"):
        check_scans(read_cohort(tiny_folder), tiny_split)


def test_a_test_subject_that_cannot_be_prepared_is_refused(tiny_folder, tiny_split):
    """Training does not prepare it, and would have ended before that shows."""
    t1, t2, classes = tiny_brain(5)
    cohort = read_cohort(tiny_folder)

    def write(part, mm):
        for kind, data in (("T1", t1), ("T2", t2), ("label", CODES[classes])):
            write_analyze(tiny_folder / f"subject-5-{kind}.img", data[part], (mm, mm, mm))

    write(np.s_[:], 20)
    check_scans(cohort, tiny_split)
    with pytest.raises(InputError, match=r"subject-5-T1.hdr: found .* voxels of 0.3 mm; expected at most"):
        check_scans(cohort, tiny_split, Preparation(resample=0.3))
    pytest.importorskip("SimpleITK")
    check_scans(cohort, tiny_split, Preparation(n4=True))
    # A single slice.
    write(np.s_[:, :, 12:13], 1)
    check_scans(cohort, tiny_split)
    with pytest.raises(InputError, match=r"subject-5-T1.hdr: found a scan that N4 cannot correct"):
        check_scans(cohort, tiny_split, Preparation(n4=True))


def test_one_file_as_two_modalities_is_refused(tiny_folder, tiny_split):
    for suffix in ("hdr", "img"):
        shutil.copy(tiny_folder / f"subject-2-T1.{suffix}", tiny_folder / f"subject-2-T2.{suffix}")
    with pytest.raises(InputError, match=r"subject-2-T2.hdr: found the scan of .*subject-2-T1.hdr again"):
        check_scans(read_cohort(tiny_folder), tiny_split)


def test_missing_modality(tiny_folder, tiny_split):
    for path in tiny_folder.glob("subject-4-T2.*"):
        path.unlink()
    cohort = read_cohort(tiny_folder, "iseg")
    with pytest.raises(InputError, match=r"found no T2 for subject 4; expected all of T1, T2"):
        check_modalities(cohort, tiny_split, may_lack_modality=False)
    check_modalities(cohort, tiny_split, may_lack_modality=True)
    check_scans(cohort, tiny_split)
