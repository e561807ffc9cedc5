"""What is found in folders, and what may not be read."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from tf_msgan.datasets.cases import lack_modalities
from tf_msgan.datasets.find_cases import find_cases
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.errors import InputError
from tf_msgan.io.folders import files_below, is_there, names_in
from tf_msgan.io.read_volumes import find_volume, read_image

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


def test_files_are_found_through_links_once_and_circles_end(tmp_path):
    for name in ("root/1", "root/b/2", "root/.hidden/no", "out/3", "out/deep/4", "other/5"):
        write(tmp_path / name)
    root, out, other = (tmp_path / name for name in ("root", "out", "other"))
    (root / "a").symlink_to(out)
    # Inside the tree, up, to itself, to siblings, out again and to one another.
    (root / "c").symlink_to(root / "b")
    (root / "b" / "up").symlink_to(root)
    (root / "b" / "itself").symlink_to(root / "b")
    (root / "d").symlink_to(out / "deep")
    (out / "there").symlink_to(other)
    (other / "back").symlink_to(out)
    (other / "home").symlink_to(root / "b")
    assert [str(path.relative_to(root)) for path in files_below(root)] == [
        *("1", "a/3", "a/deep/4", "a/there/5", "b/2")
    ]
    assert list(files_below(tmp_path / "absent")) == [] == names_in(tmp_path / "absent")


def test_an_error_of_the_disk_is_no_empty_folder(tmp_path, monkeypatch):
    write(tmp_path / "inner" / "file")

    def fails(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(OSError, match="Input/output error"):
        list(files_below(tmp_path))


def test_a_label_map_that_is_a_link_to_nothing_is_not_missing(tmp_path):
    """As before `git annex get`; its subject would pass for unlabelled. A scan that was not fetched is missing."""
    (tmp_path / "label.nii.gz").symlink_to(tmp_path / "annex" / "object")
    found = find_volume(tmp_path, "label")
    assert found == tmp_path / "label.nii.gz"
    with pytest.raises(InputError, match="found a link to no file"):
        read_image(found)
    (tmp_path / "a_T1.nii.gz").symlink_to(tmp_path / "annex" / "scan")
    write(tmp_path / "a_T2.nii.gz")
    (case,) = find_cases(tmp_path, ["T1", "T2"]).cases
    assert lack_modalities(case, ["T1", "T2"], may_lack=True).images == (None, tmp_path / "a_T2.nii.gz")


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
    try:
        write(tmp_path / "bids" / f"sub-{name}/anat/sub-{name}_T1w.nii.gz")
    except OSError:
        pytest.skip("a file system that refuses such names")
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
