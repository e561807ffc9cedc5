"""Scans on disk for cohorts larger than memory: one TFRecord shard a scan, made once.

A shard's name holds the digest of the files that it was made from and of which modalities they are, of what their
labels mean and of what was done to them, and TFRecord keeps a checksum of its content. A shard appears whole or not at
all, so that a conversion that was cut short goes on where it stopped.
"""

import contextlib
import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.subject_digests import digest_labels, digest_subject
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import atomic_write
from tf_msgan.patches.cropped_scan import CroppedScan, crop_scan
from tf_msgan.progress import Progress, silent

# What TensorFlow says of a shard without a record.
EMPTIED = "Dataset was empty"
# Part of a shard's name: raise it with every change to what a shard holds.
VERSION = 3


def shard_scans(
    cache: Path,
    cohort: Cohort,
    ids,
    with_labels: bool,
    preparation: Preparation = STRIPPED,
    progress: Progress = silent,
    say=print,
):
    """Converts the scans that have no whole shard in `cache` yet, one at a time. Returns a `ShardedScans` of all.

    Args:
        cache: folder of shards, made if need be; several cohorts may share it.
        cohort, ids: which scans.
        with_labels: whether their label maps are read, checked and kept.
        preparation: of the scans.
        progress: told of every scan.
        say: told of shards that are damaged and made again.

    Raises:
        InputError: a scan is wrong, or a shard cannot be written.
    """
    paths, shapes = [], []
    codes = digest_labels(cohort.labels) if with_labels else ""
    # The spacing is that of the training subjects, which a split chooses: no scan is changed by it.
    done_to_it = dataclasses.replace(preparation, spacing=STRIPPED.spacing)
    for done, id in enumerate(ids, start=1):
        made_of = f"{digest_subject(cohort, id, with_labels)} {codes} {done_to_it}"
        digest = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        kind = "labelled" if with_labels else "unlabelled"
        path = Path(cache) / f"{cohort.layout}-{id}-{kind}-{digest}-v{VERSION}.tfrecord"
        shape = _shape(path, say)
        if shape is None:
            cropped = crop_scan(load_scan(cohort, id, with_labels, preparation))
            _write(path, cropped)
            shape = cropped.volume.shape[:3]
        paths.append(path)
        shapes.append(shape)
        progress(f"caching {kind} scans", done, len(ids))
    return ShardedScans(paths, shapes, len(cohort.modalities), with_labels)


class ShardedScans:
    """Scans in shards, read anew for every patch; memory holds those in the making alone.

    Attributes:
        shapes, modalities: as in `HeldScans`.
    """

    def __init__(self, paths: list[Path], shapes, modalities: int, has_labels: bool):
        self.shapes = shapes
        self.modalities = modalities
        self._has_labels = has_labels
        self._paths = tf.constant([str(path) for path in paths])

    def __call__(self, number) -> CroppedScan:
        record = _read(self._paths[number])
        shape = tf.ensure_shape(record["shape"], [3])
        volume = tf.reshape(
            tf.io.decode_raw(record["volume"], tf.float32), tf.concat([shape, [self.modalities + 1]], axis=0)
        )
        labels = tf.reshape(tf.io.decode_raw(record["labels"], tf.uint8), shape) if self._has_labels else None
        foreground = tf.reshape(tf.io.decode_raw(record["foreground"], tf.int16), [-1, 3])
        return CroppedScan(volume, labels, foreground, tf.ensure_shape(record["spacing"], [3]))


@contextlib.contextmanager
def damaged_shard_named(with_shards: bool = True):
    """Makes an `InputError` of what TensorFlow raises when a shard is damaged, empty or gone."""
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
        is_other = isinstance(error, tf.errors.InvalidArgumentError) and EMPTIED not in str(error.message)
        if is_other or not with_shards:
            raise
        reason = str(error.message).splitlines()[0]
        raise InputError(
            "--cache", f"a shard that is damaged or gone ({reason})", "whole ones: --resume makes it again"
        ) from None


def _read(path):
    record = tf.data.TFRecordDataset(path, buffer_size=2**20).take(1).get_single_element()
    text = tf.io.FixedLenFeature([], tf.string)
    features = {"shape": tf.io.FixedLenFeature([3], tf.int64), "spacing": tf.io.FixedLenFeature([3], tf.float32)}
    features |= {"volume": text, "foreground": text}
    return tf.io.parse_single_example(record, {**features, "labels": tf.io.FixedLenFeature([], tf.string, "")})


def _shape(path, say):
    """The shape in a whole shard, or None."""
    if not path.is_file():
        return None
    try:
        return tuple(int(n) for n in _read(str(path))["shape"])
    except tf.errors.OpError:
        say(f"{path} is damaged: making it again")
        return None


def _write(path, cropped: CroppedScan):
    def text(array):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[array.tobytes()]))

    features = {"volume": text(cropped.volume), "foreground": text(cropped.foreground)}
    features["shape"] = tf.train.Feature(int64_list=tf.train.Int64List(value=np.array(cropped.volume.shape[:3])))
    features["spacing"] = tf.train.Feature(float_list=tf.train.FloatList(value=cropped.spacing))
    if cropped.labels is not None:
        features["labels"] = text(cropped.labels)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    try:
        with atomic_write(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            writer.write(example.SerializeToString())
            writer.flush()
    except tf.errors.OpError as error:
        raise InputError(path, f"a shard that cannot be written ({error.message})", "room on the disk") from None
