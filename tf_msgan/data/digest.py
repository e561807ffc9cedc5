"""Digests of files and of what they hold, to know whether data are what they were, and whether two are one."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tf_msgan.data.cohort import Cohort
from tf_msgan.data.labels import LabelTable
from tf_msgan.data.splits import Split
from tf_msgan.data.volumes import Volume


def digest_subject(cohort: Cohort, subject_id: str, with_labels: bool) -> str:
    """SHA-256, in hexadecimal, of a subject's files: headers and voxels, the label map's only `with_labels`; and of
    which modalities it lacks.

    Raises:
        OSError: a file cannot be read.
    """
    subject = cohort.subjects[subject_id]
    images = b"".join(_digest_volume(path) if path else b"none" for path in subject.images)
    return hashlib.sha256(images + _digest_volume(subject.label if with_labels else None)).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_label_map(cohort: Cohort, subject_id: str) -> str:
    """SHA-256, in hexadecimal, of a subject's label map; of nothing if it has none.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(_digest_volume(cohort.subjects[subject_id].label)).hexdigest()


def _digest_volume(path: Path | None) -> bytes:
    """The digests of a volume's files, of which Analyze has two; nothing if there is no volume."""
    if path is None:
        return b""
    parts = (path, path.with_suffix(".img")) if path.suffix == ".hdr" else (path,)
    return b"".join(bytes.fromhex(digest_file(part)) for part in parts)


def digest_labels(table: LabelTable) -> str:
    """SHA-256 of what codes mean."""
    return hashlib.sha256(json.dumps(asdict(table)).encode()).hexdigest()


def digest_split(cohort: Cohort, split: Split) -> dict[str, str]:
    """The digest of each subject that plays a role, by id; labels count wherever the role has them."""
    return {
        id: digest_subject(cohort, id, with_labels=role != "unlabeled")
        for role, ids in split.roles().items()
        for id in ids
    }


def digest_voxels(data: np.ndarray) -> str:
    """SHA-256, in hexadecimal, of an array's shape and values."""
    return hashlib.sha256(repr(data.shape).encode() + np.ascontiguousarray(data).tobytes()).hexdigest()


def digest_images(volumes: list[Volume | None]) -> list[str]:
    """`digest_voxels` of each modality of a scan, whatever its file is called and however it is compressed."""
    return [digest_voxels(volume.data) for volume in volumes if volume]


def combine(digests: dict[str, str]) -> str:
    """One SHA-256 of all."""
    return hashlib.sha256("\n".join(f"{id} {digest}" for id, digest in sorted(digests.items())).encode()).hexdigest()
