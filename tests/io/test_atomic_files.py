"""Writes that are whole or nothing."""

import errno
import os

import pytest

from tf_msgan.io.atomic_files import atomic_write, write_json


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "config.json"
    write_json(path, {"a": 1})
    old = path.read_text()
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == old
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_bytes_are_on_the_disk_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    """What a failing machine leaves is the old file or the new one, whole."""
    done = []

    def fsync(descriptor, real=os.fsync):
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    def replace(source, target, real=os.replace):
        done.append((str(source), str(target)))
        real(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "config.json"
    write_json(path, {"a": 1})
    written, (source, target), folder = done
    assert (written, target, folder) == (source, str(path), str(tmp_path))


def test_value_that_is_no_json_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "config.json", {"a": object()})
    assert not any(tmp_path.iterdir())


def test_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left on device") as raised, atomic_write(tmp_path / "model.keras"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert raised.value.filename == str(tmp_path / "model.keras")
    assert not any(tmp_path.iterdir())
