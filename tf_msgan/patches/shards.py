"""Scans on disk for cohorts larger than memory: one shard a scan, made once, whose arrays are mapped into memory.

A shard is a folder of arrays as they lie in memory, and of `shard.json`, which says their shapes and digests. Its name
holds the digest of the files that it was made from and of which modalities they are, of what their labels mean and of
what was done to them. It appears whole or not at all, so that a conversion that was cut short goes on where it stopped.
"""

import dataclasses
import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.subject_digests import digest_labels, digest_subject
from tf_msgan.io.atomic_files import sync, temporary_path
from tf_msgan.io.digests import digest_file
from tf_msgan.patches.cropped_scan import CroppedScan, crop_scan
from tf_msgan.patches.scan_source import ScanSource
from tf_msgan.progress import Progress, silent

LOGGER = logging.getLogger(__name__)

# What describes a shard, in its folder.
DESCRIPTION = "shard.json"
# Part of a shard's name: raise it with every change to what a shard holds.
VERSION = 4


def shard_scans(
    cache: Path,
    cohort: Cohort,
    ids: Iterable[str],
    with_labels: bool,
    preparation: Preparation = STRIPPED,
    progress: Progress = silent,
) -> ScanSource:
    """Converts the scans that have no whole shard in `cache` yet, one at a time. Returns a source of all, of which only
    what patches are cut from is read.

    Args:
        cache: folder of shards, made if need be; several cohorts may share it.
        cohort, ids: which scans.
        with_labels: whether their label maps are read, checked and kept.
        preparation: of the scans.
        progress: told of every scan.

    Raises:
        InputError: a scan is wrong.
        OSError: a shard cannot be written or read.
    """
    scans, ids = [], tuple(ids)
    kind = "labelled" if with_labels else "unlabelled"
    codes = digest_labels(cohort.labels) if with_labels else ""
    # The spacing is that of the training subjects, which a split chooses: no scan is changed by it.
    done_to_it = dataclasses.replace(preparation, spacing=STRIPPED.spacing)
    for done, subject_id in enumerate(ids, start=1):
        made_of = f"{digest_subject(cohort, subject_id, with_labels)} {codes} {done_to_it}"
        digest = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        shard = Path(cache) / f"{cohort.layout}-{subject_id}-{kind}-{digest}-v{VERSION}"
        if not _is_whole(shard):
            if shard.exists():
                LOGGER.warning("%s is damaged: making it again", shard)
            LOGGER.debug("converting subject %s to %s", subject_id, shard)
            _write(shard, crop_scan(load_scan(cohort, subject_id, with_labels, preparation)))
        scans.append(_map(shard))
        progress(f"caching {kind} scans", done, len(ids))
    return ScanSource(scans)


def _is_whole(shard: Path) -> bool:
    """Whether there is a shard whose content is what was written."""
    if not shard.is_dir():
        return False
    try:
        described = json.loads((shard / DESCRIPTION).read_text(encoding="utf-8"))
        whole = "volume" in described
        whole &= all(digest_file(shard / name) == array["sha256"] for name, array in described.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return whole


def _write(shard: Path, scan: CroppedScan) -> None:
    temporary = temporary_path(shard)
    try:
        temporary.mkdir(parents=True)
        described = {}
        for name, array in scan._asdict().items():
            if array is not None:
                (temporary / name).write_bytes(array.data)
                sync(temporary / name)
                facts = {"shape": array.shape, "dtype": array.dtype.name, "sha256": digest_file(temporary / name)}
                described[name] = facts
        (temporary / DESCRIPTION).write_text(json.dumps(described, indent=2), encoding="utf-8")
        sync(temporary / DESCRIPTION)
        _put(temporary, shard)
        sync(shard.parent)
    except OSError as error:
        # A full disk is reported by calls that know no name.
        error.filename = error.filename or str(shard)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(temporary: Path, shard: Path) -> None:
    """Puts a new shard into its place, unless another worker has put a whole one there meanwhile, which may be in use
    already."""
    try:
        os.replace(temporary, shard)
    except OSError:
        if _is_whole(shard):
            return
        damaged = temporary.with_name(f"{temporary.name}-damaged")
        os.replace(shard, damaged)
        shutil.rmtree(damaged)
        os.replace(temporary, shard)


def _map(shard: Path) -> CroppedScan:
    """The arrays of a whole shard as tensors, none of which is read before it is used."""
    described = json.loads((shard / DESCRIPTION).read_text(encoding="utf-8"))

    def mapped(name: str) -> tf.Tensor | None:
        if name not in described:
            return None
        shape, dtype = described[name]["shape"], tf.as_dtype(described[name]["dtype"])
        with tf.device("CPU:0"):
            return tf.raw_ops.ImmutableConst(dtype=dtype, shape=shape, memory_region_name=str(shard / name))

    try:
        return CroppedScan(*(mapped(name) for name in CroppedScan._fields))
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error.message, str(shard)) from None
