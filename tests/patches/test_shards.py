"""Scans in shards, made of real files."""

import dataclasses
import errno
import json
import logging
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import flip_bit
from tf_msgan.config import STRIPPED, Augmentation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.errors import InputError
from tf_msgan.patches.cropped_scan import crop_scan
from tf_msgan.patches.scan_source import hold_scans
from tf_msgan.patches.shards import shard_scans
from tf_msgan.patches.streams import training_stream, validation_stream
from tf_msgan.preprocessing.reserved_values import IGNORE


def sources(cohort, cache):
    held = [
        hold_scans([load_scan(cohort, subject_id, with_labels) for subject_id in ids])
        for ids, with_labels in ((("1", "2"), True), (("6", "7"), False))
    ]
    sharded = [shard_scans(cache, cohort, ("1", "2"), True), shard_scans(cache, cohort, ("6", "7"), False)]
    return held, sharded


@pytest.mark.integration
def test_same_patches_as_in_memory(tiny_cohort, tmp_path):
    def batches(labelled, unlabelled):
        stream = training_stream(labelled, unlabelled, (16, 16, 16), (2, 2), 0.7, Augmentation(), seed=3)
        return [tf.nest.map_structure(lambda t: t.numpy(), batch) for batch in stream.take(4)]

    held, sharded = sources(tiny_cohort, tmp_path)
    for one, other in zip(batches(*held), batches(*sharded), strict=True):
        for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
            assert np.array_equal(a, b)
    for one, other in zip(
        validation_stream(held[0], (16, 16, 16), 3), validation_stream(sharded[0], (16, 16, 16), 3), strict=True
    ):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_shard_gives_back_the_scan(tiny_cohort, tmp_path):
    source = shard_scans(tmp_path, tiny_cohort, ("2",), True)
    cropped, got = crop_scan(load_scan(tiny_cohort, "2", True)), source(tf.constant(0))
    assert source.shapes == [cropped.volume.shape[:3]]
    for expected, value in zip(cropped, got, strict=True):
        assert np.array_equal(expected, value)
    assert shard_scans(tmp_path, tiny_cohort, ("6",), False)(tf.constant(0)).labels is None


def test_conversion_goes_on_where_it_stopped(tiny_cohort, tmp_path):
    shard_scans(tmp_path, tiny_cohort, ("1",), True)
    (first,) = tmp_path.iterdir()
    made = first.stat().st_mtime_ns
    shard_scans(tmp_path, tiny_cohort, ("1", "2"), True)
    assert len(list(tmp_path.iterdir())) == 2
    assert first.stat().st_mtime_ns == made


def content(shard):
    return {path.name: path.read_bytes() for path in shard.iterdir()}


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "gone", "described", "undescribed"])
def test_a_damaged_shard_is_made_again(tiny_cohort, tmp_path, harm, caplog):
    shard_scans(tmp_path, tiny_cohort, ("1",), True)
    (shard,) = tmp_path.iterdir()
    whole = content(shard)
    if harm == "flip":
        flip_bit(shard / "labels")
    elif harm == "gone":
        (shard / "foreground").unlink()
    elif harm == "described":
        description = json.loads(whole["shard.json"])
        del description["volume"]["sha256"]
        (shard / "shard.json").write_text(json.dumps(description))
    elif harm == "undescribed":
        (shard / "shard.json").unlink()
    else:
        (shard / "volume").write_bytes(whole["volume"][:-7] if harm == "cut" else b"")
    with caplog.at_level(logging.WARNING, "tf_msgan"):
        shard_scans(tmp_path, tiny_cohort, ("1",), True)
    assert caplog.messages == [f"{shard} is damaged: making it again"]
    assert content(shard) == whole and list(tmp_path.iterdir()) == [shard]


def test_a_shard_may_be_deleted_while_it_is_read(tiny_cohort, tmp_path):
    source = shard_scans(tmp_path, tiny_cohort, ("1",), True)
    shutil.rmtree(tmp_path)
    expected = crop_scan(load_scan(tiny_cohort, "1", True))
    assert np.array_equal(source(tf.constant(0)).volume, expected.volume)


def test_a_full_disk_leaves_no_shard(tiny_cohort, tmp_path, monkeypatch):
    def fail(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="No space left") as raised:
        shard_scans(tmp_path, tiny_cohort, ("1",), True)
    assert str(tmp_path) in raised.value.filename and not any(tmp_path.iterdir())


def test_a_whole_shard_of_another_worker_is_not_replaced(tiny_cohort, tmp_path, monkeypatch):
    """It appears while this worker converts the scan, and may be mapped already."""
    shard_scans(tmp_path / "other", tiny_cohort, ("1",), True)
    (made,) = (tmp_path / "other").iterdir()
    theirs = tmp_path / "cache" / made.name

    copied = []

    def load_slowly(*arguments):
        shutil.copytree(made, theirs)
        copied.append((theirs / "volume").stat().st_ino)
        return load_scan(*arguments)

    monkeypatch.setattr("tf_msgan.patches.shards.load_scan", load_slowly)
    shard_scans(tmp_path / "cache", tiny_cohort, ("1",), True)
    assert list((tmp_path / "cache").iterdir()) == [theirs]
    assert [(theirs / "volume").stat().st_ino] == copied


def test_two_workers_may_make_one_shard(tiny_cohort, tmp_path, monkeypatch):
    """The slower one takes what the faster one made."""
    shard_scans(tmp_path / "other", tiny_cohort, ("1",), True)
    (made,) = (tmp_path / "other").iterdir()

    def late(source, target):
        shutil.copytree(made, target)
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr("os.replace", late)
    source = shard_scans(tmp_path / "cache", tiny_cohort, ("1",), True)
    assert source.shapes == [tuple(crop_scan(load_scan(tiny_cohort, "1", True)).volume.shape[:3])]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [made.name]


def test_another_split_needs_no_new_shards(tiny_cohort, tmp_path):
    """Which gives its runs another spacing, where voxels differ."""
    for spacing in ((1.0, 1.0, 1.0), (1.0, 1.0, 1.2)):
        shard_scans(tmp_path, tiny_cohort, ("1",), True, dataclasses.replace(STRIPPED, spacing=spacing))
    assert len(list(tmp_path.iterdir())) == 1


def test_changed_scans_make_new_shards(tiny_folder, tmp_path):
    cohort = read_cohort(tiny_folder, "iseg")
    shard_scans(tmp_path / "cache", cohort, ("1",), True)
    path = tiny_folder / "subject-1-T2.img"
    flip_bit(path)
    shard_scans(tmp_path / "cache", cohort, ("1",), True)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_another_modality_of_the_same_file_makes_a_new_shard(tiny_cohort, tmp_path):
    first = tiny_cohort.subjects["6"].images[0]
    for images, modalities in ([(first, None), 2], [(first,), 1], [(None, first), 2]):
        subjects = {"6": dataclasses.replace(tiny_cohort.subjects["6"], images=images)}
        cohort = dataclasses.replace(tiny_cohort, modalities=("T1", "T2")[:modalities], subjects=subjects)
        got = shard_scans(tmp_path, cohort, ("6",), False)(tf.constant(0))
        assert np.array_equal(got.volume, crop_scan(load_scan(cohort, "6", False)).volume)
    assert len(list(tmp_path.iterdir())) == 3


def test_other_meanings_of_the_codes_make_new_shards(tiny_cohort, tmp_path):
    """The files are the same; the classes are not."""
    table = dataclasses.replace(tiny_cohort.labels, classes={0: 0, 10: 1, 150: 1, 250: IGNORE}, tissues=("all",))
    other = dataclasses.replace(tiny_cohort, labels=dataclasses.replace(table, all_present=False))
    for cohort, classes in ((tiny_cohort, {0, 1, 2, 3}), (other, {0, 1, IGNORE})):
        source = shard_scans(tmp_path, cohort, ("1",), True)
        assert set(np.unique(source(tf.constant(0)).labels)) == classes
    # Without labels they mean nothing.
    shard_scans(tmp_path, tiny_cohort, ("1",), False)
    shard_scans(tmp_path, other, ("1",), False)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_wrong_scan_leaves_no_shard(tiny_folder, tmp_path):
    path = tiny_folder / "subject-1-T2.img"
    path.write_bytes(path.read_bytes()[:99])
    with pytest.raises(InputError, match="truncated"):
        shard_scans(tmp_path / "cache", read_cohort(tiny_folder, "iseg"), ("1",), True)
    assert not (tmp_path / "cache").exists()
