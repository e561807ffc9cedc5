"""What is found in folders, and what may not be read."""

import os
import tempfile
from pathlib import Path

import pytest

from tf_msgan.data.cases import find_cases, lack_modalities
from tf_msgan.data.folders import folders_below, is_there, names_in
from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.volumes import find_volume, read_image
from tf_msgan.errors import InputError

NOBODY = 65534


@pytest.fixture
def as_nobody():
    """A folder that a user without privileges may read, and the test as that user once it calls what it is given."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            yield Path(folder), lambda: is_root and os.seteuid(NOBODY)
        finally:
            if is_root:
                os.seteuid(0)
            for path in Path(folder).rglob("*"):
                path.chmod(0o755)


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_folders_are_found_through_links_and_circles_end(tmp_path):
    for name in ("root/b/inner", "root/a", "elsewhere/deep"):
        (tmp_path / name).mkdir(parents=True)
    root = tmp_path / "root"
    (root / "a" / "link").symlink_to(tmp_path / "elsewhere")
    (root / "b" / "up").symlink_to(root)
    (root / "b" / "itself").symlink_to(root / "b")
    found = [str(path.relative_to(root)) for path in folders_below(root)]
    assert found == [".", "a", "a/link", "a/link/deep", "b", "b/inner"]
    assert list(folders_below(tmp_path / "absent")) == [] == names_in(tmp_path / "absent")


def test_bids_behind_links_is_found(tmp_path):
    """Sessions, and derivatives, that are links into other data sets."""
    root, store = tmp_path / "bids", tmp_path / "store"
    write(root / "sub-01/anat/sub-01_T1w.nii.gz")
    write(store / "ses-1/anat/sub-02_ses-1_T1w.nii.gz")
    write(store / "labels/sub-01/sub-01_dseg.nii.gz")
    (root / "sub-02").mkdir()
    (root / "sub-02/ses-1").symlink_to(store / "ses-1")
    (root / "derivatives").mkdir()
    (root / "derivatives/manual").symlink_to(store / "labels")
    cohort = read_cohort(root)
    assert list(cohort.subjects) == ["sub-01", "sub-02_ses-1"]
    assert cohort.subjects["sub-01"].label == root / "derivatives/manual/sub-01/sub-01_dseg.nii.gz"
    assert [case.id for case in find_cases(root, ["T1w"]).cases] == ["sub-01", "sub-02_ses-1"]


def test_a_link_to_no_file_is_no_missing_file(tmp_path):
    """Before `git annex get` a label map is a link to nothing; its subject would pass for unlabelled."""
    (tmp_path / "label.nii.gz").symlink_to(tmp_path / "annex" / "object")
    found = find_volume(tmp_path, "label")
    assert found == tmp_path / "label.nii.gz"
    with pytest.raises(InputError, match="found a link to no file"):
        read_image(found)
    (tmp_path / "a_T1.nii.gz").symlink_to(tmp_path / "annex" / "scan")
    write(tmp_path / "a_T2.nii.gz")
    (case,) = find_cases(tmp_path, ["T1", "T2"]).cases
    assert lack_modalities(case, ["T1", "T2"], may_lack=True).images == case.images


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_read_is_refused(as_nobody, mode):
    root, become_nobody = as_nobody
    write(root / "bids/sub-01/anat/sub-01_T1w.nii.gz")
    locked = write(root / "bids/sub-02/anat/sub-02_T1w.nii.gz").parent
    write(root / "side/a_T1.nii.gz")
    locked.chmod(mode)
    (root / "side").chmod(mode)
    become_nobody()
    with pytest.raises(InputError, match=r"sub-02/anat.*no permission"):
        read_cohort(root / "bids")
    with pytest.raises(InputError, match=r"side.*no permission"):
        lack_modalities(*find_cases(root / "side", ["T1"]).cases, ["T1"], may_lack=False)
    with pytest.raises(InputError, match=r"no permission"):
        is_there(root / "side" / "a_T1.nii.gz")


def test_names_that_are_no_text_are_refused(tmp_path):
    name = os.fsdecode(b"m\xfcller")
    write(tmp_path / "bids" / f"sub-{name}/anat/sub-{name}_T1w.nii.gz")
    with pytest.raises(InputError, match=r"m\\udcfcller.*not UTF-8"):
        read_cohort(tmp_path / "bids")
    write(tmp_path / "side" / f"{name}_T1.nii.gz")
    write(tmp_path / "side" / "good_T1.nii.gz")
    good, bad = sorted(find_cases(tmp_path / "side", ["T1"]).cases, key=lambda case: case.id)
    assert lack_modalities(good, ["T1"], False) == good
    with pytest.raises(InputError, match="not UTF-8"):
        lack_modalities(bad, ["T1"], False)
    write(tmp_path / name / "subject-1-T1.hdr")
    with pytest.raises(InputError, match="not UTF-8"):
        read_cohort(tmp_path / name)
