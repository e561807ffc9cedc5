"""Scans in TFRecord shards, made of real files."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import flip_bit
from tf_msgan.config import STRIPPED, Augmentation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.errors import InputError
from tf_msgan.patches.cropped_scan import crop_scan
from tf_msgan.patches.held_scans import HeldScans
from tf_msgan.patches.shards import damaged_shard_named, shard_scans
from tf_msgan.patches.streams import training_stream, validation_stream
from tf_msgan.preprocessing.reserved_values import IGNORE


def sources(cohort, cache):
    held = [
        HeldScans([load_scan(cohort, id, with_labels) for id in ids])
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


@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_a_damaged_shard_is_made_again(tiny_cohort, tmp_path, harm):
    shard_scans(tmp_path, tiny_cohort, ("1",), True)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if harm == "flip":
        flip_bit(path)
    else:
        path.write_bytes(whole[:-7] if harm == "cut" else b"")
    said = []
    shard_scans(tmp_path, tiny_cohort, ("1",), True, say=said.append)
    assert said == [f"{path} is damaged: making it again"]
    assert path.read_bytes() == whole


def test_a_shard_that_is_gone_is_named(tiny_cohort, tmp_path):
    source = shard_scans(tmp_path, tiny_cohort, ("1",), True)
    (path,) = tmp_path.iterdir()
    path.unlink()
    expected = f"--cache: found a shard that is damaged or gone .*{path.name}"
    with pytest.raises(InputError, match=expected), damaged_shard_named():
        source(tf.constant(0))


def test_a_shard_that_was_emptied_is_named(tiny_cohort, tmp_path):
    source = shard_scans(tmp_path, tiny_cohort, ("1",), True)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="--cache: found a shard that is damaged or gone"), damaged_shard_named():
        source(tf.constant(0))


@pytest.mark.parametrize(
    ("with_shards", "error"), [(False, tf.errors.NotFoundError), (True, tf.errors.InvalidArgumentError)]
)
def test_other_errors_are_not_put_down_to_shards(with_shards, error):
    with pytest.raises(error), damaged_shard_named(with_shards):
        raise error(None, None, "something else")


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
