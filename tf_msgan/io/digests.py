"""Digests of files and of what they hold, to know whether two are one."""

import hashlib
from pathlib import Path

import numpy as np

from tf_msgan.io.volumes import Volume


def digest_file(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_volume(path: Path | None) -> bytes:
    """The digests of a volume's files, of which Analyze has two; nothing if there is no volume."""
    if path is None:
        return b""
    parts = (path, path.with_suffix(".img")) if path.suffix == ".hdr" else (path,)
    return b"".join(bytes.fromhex(digest_file(part)) for part in parts)


def digest_voxels(data: np.ndarray) -> str:
    """SHA-256, in hexadecimal, of an array's shape and values."""
    return hashlib.sha256(repr(data.shape).encode() + np.ascontiguousarray(data).tobytes()).hexdigest()


def digest_images(volumes: list[Volume | None]) -> list[str]:
    """`digest_voxels` of each modality of a scan, whatever its file is called and however it is compressed."""
    return [digest_voxels(volume.data) for volume in volumes if volume]


def combine(digests: dict[str, str]) -> str:
    """One SHA-256, in hexadecimal, of the digests of subjects by their ids, in whatever order they come."""
    lines = (f"{subject_id} {digest}" for subject_id, digest in sorted(digests.items()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
