"""Scans are read or refused, whatever their headers say."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import save_nifti
from tests.damaged_scans import image_of, write_set
from tf_msgan.datasets.examine import examine
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.io.read_volumes import read_image
from tf_msgan.io.write_volumes import write_nifti


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz") / "set"
    write_set(root)
    for subject_id in ("good_1", "good_2"):
        for path in root.glob(f"*Tr/{subject_id}*"):
            path.unlink()
    data, _ = image_of(root / "imagesTr/bad_0000.nii.gz")
    (root / "imagesTr/bad_0000.nii.gz").unlink()
    path = save_nifti(root / "imagesTr/bad_0000.nii", data)
    # The other modality goes: its suffix is the first's.
    (root / "imagesTr/bad_0001.nii.gz").unlink()
    return root, path, path.read_bytes()


@pytest.mark.integration
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, 347), st.integers(0, 255), min_size=1, max_size=12))
def test_any_header_is_read_or_refused(fuzzed, capfd, changes):
    """Five hundred headers with some bytes changed."""
    root, path, content = fuzzed
    mutant = bytearray(content)
    for at, value in changes.items():
        mutant[at] = value
    path.write_bytes(mutant)
    (facts,) = examine(read_cohort(root, "folder"), None)
    assert facts.shape or any(problem.severity == "error" for problem in facts.problems)
    errors = [problem for problem in facts.problems if problem.severity == "error"]
    assert all("expected" in error.text for error in errors)
    if not errors:
        # What is read can be written upon.
        volume = read_image(path)
        write_nifti(root.parent / "written.nii", np.zeros(volume.data.shape, np.uint8), volume)
        assert np.allclose(read_image(root.parent / "written.nii").affine, volume.affine, rtol=1e-5, atol=1e-5)
    assert not capfd.readouterr().err
