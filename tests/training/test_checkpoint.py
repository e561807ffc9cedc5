"""Checkpoints: whole, two generations, and what happens to damaged ones."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import flip_bit, logged
from tf_msgan.errors import InputError
from tf_msgan.training.checkpoint import Checkpoint, RunState, checkpoint_folder, read_checkpoint, write_checkpoint


def checkpoint(epochs):
    history = [{"epoch": n, "val_dice": 0.1 + n / 3, "seconds": 2.5} for n in range(epochs)]
    variables = {"refine/0": np.full((3, 4), epochs / 7, np.float32), "steps": np.int64(100 * epochs)}
    return Checkpoint(RunState(history, epochs - 1, history[-1]["val_dice"]), variables, {"refine/0": np.ones(2)})


def files(run):
    return sorted(path.name for path in checkpoint_folder(run).iterdir())


def test_round_trip_is_exact(tmp_path):
    written = checkpoint(3)
    write_checkpoint(tmp_path, written)
    read = read_checkpoint(tmp_path)
    assert read.state == written.state and read.state.epoch == 3
    for one, other in ((read.variables, written.variables), (read.best, written.best)):
        assert set(one) == set(other)
        for name, value in other.items():
            assert one[name].dtype == value.dtype and np.array_equal(one[name], value)


def test_two_generations_are_kept(tmp_path):
    for epochs in (1, 2, 3, 12):
        write_checkpoint(tmp_path, checkpoint(epochs))
    assert files(tmp_path) == ["epoch-0003.npz", "epoch-0012.npz"]
    assert read_checkpoint(tmp_path).state.epoch == 12


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_damaged_one_is_known_wherever_the_damage_is(tmp_path_factory, at, cut):
    """Any flipped bit or cut gives either the older generation, with a word about it, or the very same content."""
    run = tmp_path_factory.mktemp("run")
    write_checkpoint(run, checkpoint(1))
    write_checkpoint(run, checkpoint(2))
    newest = checkpoint_folder(run) / "epoch-0002.npz"
    place = int(at * newest.stat().st_size)
    if cut:
        newest.write_bytes(newest.read_bytes()[:place])
    else:
        flip_bit(newest, place)
    with logged("tf_msgan") as said:
        read = read_checkpoint(run)
    if said:
        assert "epoch-0002.npz is damaged" in said[0]
        assert read.state == checkpoint(1).state
    else:
        assert read.state == checkpoint(2).state
        for name, value in checkpoint(2).variables.items():
            assert np.array_equal(read.variables[name], value)


def test_none_that_can_be_read_is_an_error(tmp_path):
    for epochs in (1, 2):
        write_checkpoint(tmp_path, checkpoint(epochs))
    for path in checkpoint_folder(tmp_path).iterdir():
        path.write_bytes(b"")
    expected = r"no checkpoint that can be read; expected one to resume from"
    with logged("tf_msgan") as said, pytest.raises(InputError, match=expected):
        read_checkpoint(tmp_path)
    assert len(said) == 2


def test_a_run_with_a_history_and_no_checkpoint_is_an_error(tmp_path):
    (tmp_path / "history.csv").write_text("epoch\n0\n")
    with pytest.raises(InputError, match="no checkpoint"):
        read_checkpoint(tmp_path)


def test_none_was_ever_written(tmp_path):
    assert read_checkpoint(tmp_path) is None
    # A kill in the middle of the first write.
    checkpoint_folder(tmp_path).mkdir()
    (checkpoint_folder(tmp_path) / ".tmp-1-epoch-0001.npz").write_bytes(b"half")
    assert read_checkpoint(tmp_path) is None


def test_what_a_kill_left_is_cleared(tmp_path):
    checkpoint_folder(tmp_path).mkdir()
    (checkpoint_folder(tmp_path) / ".tmp-1-epoch-0001.npz").write_bytes(b"half")
    write_checkpoint(tmp_path, checkpoint(1))
    assert files(tmp_path) == ["epoch-0001.npz"]


def test_a_full_disk_leaves_the_last_one(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, checkpoint(1))

    def full(path, **arrays):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left") as raised:
        write_checkpoint(tmp_path, checkpoint(2))
    assert raised.value.filename.endswith("epoch-0002.npz")
    monkeypatch.undo()
    assert files(tmp_path) == ["epoch-0001.npz"]
    assert read_checkpoint(tmp_path).state.epoch == 1


@pytest.mark.slow
def test_no_flipped_bit_goes_unseen(tmp_path):
    """Every bit of a small checkpoint: the names and the directory of the archive have no checksum of their own."""
    write_checkpoint(tmp_path, checkpoint(1))
    write_checkpoint(tmp_path, checkpoint(2))
    newest = checkpoint_folder(tmp_path) / "epoch-0002.npz"
    whole, expected = newest.read_bytes(), {epochs: checkpoint(epochs) for epochs in (1, 2)}
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        newest.write_bytes(content)
        with logged("tf_msgan") as said:
            read = read_checkpoint(tmp_path)
        same = expected[1 if said else 2]
        assert read.state == same.state, bit
        for got, wanted in ((read.variables, same.variables), (read.best, same.best)):
            assert set(got) == set(wanted), bit
            assert all(np.array_equal(got[name], value) for name, value in wanted.items()), bit


def test_a_checkpoint_of_a_schema_in_between_has_paths():
    variables = {"refine/encoder_0_convolution_0/kernel": np.ones(3)}
    assert Checkpoint(RunState(), variables, variables, schema=1).migrated({}).variables == variables
    numbered = {"refine/0": np.ones(3)}
    migrated = Checkpoint(RunState(), numbered, {}, schema=0).migrated({"refine/0": "refine/a/kernel"})
    assert list(migrated.variables) == ["refine/a/kernel"]
