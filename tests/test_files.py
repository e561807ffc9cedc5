"""Writes that are whole or nothing."""

import errno
import os

import pytest

from tf_msgan.files import atomic_write, write_json


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "config.json"
    write_json(path, {"a": 1})
    old = path.read_text()
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == old
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_value_that_is_no_json_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "config.json", {"a": object()})
    assert not any(tmp_path.iterdir())


def test_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left on device") as raised, atomic_write(tmp_path / "model.keras"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert raised.value.filename == str(tmp_path / "model.keras")
    assert not any(tmp_path.iterdir())
