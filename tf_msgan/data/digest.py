"""Digests of files, to know whether data are what they were."""

import hashlib

from tf_msgan.data.cohort import Cohort
from tf_msgan.data.splits import Split


def digest_subject(cohort: Cohort, subject_id: str, with_labels: bool) -> str:
    """SHA-256, in hexadecimal, of a subject's files: headers and voxels, the label map's only `with_labels`.

    Raises:
        OSError: a file cannot be read.
    """
    subject = cohort.subjects[subject_id]
    total = hashlib.sha256()
    for path in (*subject.images, *([subject.label] if with_labels and subject.label else [])):
        # An Analyze volume is two files.
        for part in (path, path.with_suffix(".img")) if path.suffix == ".hdr" else (path,):
            with open(part, "rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def digest_split(cohort: Cohort, split: Split) -> dict[str, str]:
    """The digest of each subject that plays a role, by id; labels count wherever the role has them."""
    return {
        id: digest_subject(cohort, id, with_labels=role != "unlabeled")
        for role, ids in split.roles().items()
        for id in ids
    }


def combine(digests: dict[str, str]) -> str:
    """One SHA-256 of all."""
    return hashlib.sha256("\n".join(f"{id} {digest}" for id, digest in sorted(digests.items())).encode()).hexdigest()
