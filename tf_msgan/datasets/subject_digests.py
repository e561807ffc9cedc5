"""Digests of subjects, to know whether data are what they were."""

import hashlib
import json
from dataclasses import asdict

from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.splits import Split
from tf_msgan.io.digests import digest_volume


def digest_subject(cohort: Cohort, subject_id: str, with_labels: bool) -> str:
    """SHA-256, in hexadecimal, of a subject's files: headers and voxels, the label map's only `with_labels`; and of
    which modalities it lacks.

    Raises:
        OSError: a file cannot be read.
    """
    subject = cohort.subjects[subject_id]
    images = b"".join(digest_volume(path) if path else b"none" for path in subject.images)
    return hashlib.sha256(images + digest_volume(subject.label if with_labels else None)).hexdigest()


def digest_label_map(cohort: Cohort, subject_id: str) -> str:
    """SHA-256, in hexadecimal, of a subject's label map; of nothing if it has none.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(digest_volume(cohort.subjects[subject_id].label)).hexdigest()


def digest_labels(table: LabelTable) -> str:
    """SHA-256, in hexadecimal, of what codes mean."""
    return hashlib.sha256(json.dumps(asdict(table)).encode()).hexdigest()


def digest_split(cohort: Cohort, split: Split) -> dict[str, str]:
    """Returns the digest of each subject that plays a role, by id; labels count wherever the role has them.

    Raises:
        OSError: a file cannot be read.
    """
    return {
        subject_id: digest_subject(cohort, subject_id, with_labels=role != "unlabeled")
        for role, ids in split.roles().items()
        for subject_id in ids
    }
