"""A data set to damage."""

from types import SimpleNamespace

import pytest

from tests.damaged_scans import write_set


@pytest.fixture
def files(tmp_path):
    """A folder of nnU-Net's with the two scans and the label map of the subject `bad` to damage."""
    root = tmp_path / "set"
    write_set(root)
    t1, t2 = (root / f"imagesTr/bad_{channel:04}.nii.gz" for channel in (0, 1))
    return SimpleNamespace(root=root, t1=t1, t2=t2, label=root / "labelsTr/bad.nii.gz", output=tmp_path / "run")
