"""What is checked of a split's scans before hours are spent on them."""

from pathlib import Path

import numpy as np

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.datasets.cohort import Cohort, read_labels
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.io.digests import digest_images
from tf_msgan.io.images import lacks_too_many, missing_modalities, read_images
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.raw_image import network_grid, take_image
from tf_msgan.preprocessing.reserved_values import IGNORE
from tf_msgan.progress import Progress, silent

# A volume's subject and file, by the digest of its voxels.
Seen = dict[str, tuple[str, Path]]


def check_scans(cohort: Cohort, split: Split, preparation: Preparation = STRIPPED, progress: Progress = silent) -> None:
    """Reads every scan of the split once, with the labels of its role, and keeps nothing.

    Args:
        cohort, split: what is to be trained on and tested; `check_modalities` let them pass.
        preparation: of the run; test subjects, which training does not prepare, are corrected by N4 if it says so.
        progress: told of every subject.

    Raises:
        InputError: a file is missing or wrong, two hold the same scan, one cannot be prepared, or no training subject
            has some tissue.
    """
    roles = [(role, subject_id) for role, ids in split.roles().items() for subject_id in ids]
    seen: Seen = {}
    trained: set[int] = set()
    for done, (role, subject_id) in enumerate(roles, start=1):
        volumes = read_images(cohort.subjects[subject_id].images)
        note_scan(seen, subject_id, volumes)
        grid = network_grid(volumes, preparation)
        if role == "test" and preparation.n4:
            take_image(volumes, grid, preparation)
        if role != "unlabeled":
            labels = read_labels(cohort, subject_id, volumes)
            if role == "train":
                trained |= set(np.unique(labels).tolist()) - {0, IGNORE}
        progress("checking the scans", done, len(roles))
    missing = [name for number, name in enumerate(cohort.labels.tissues, start=1) if number not in trained]
    if missing:
        raise InputError(
            cohort.root, f"no voxel of {', '.join(missing)} in any training subject", "every tissue in one"
        )


def check_modalities(cohort: Cohort, split: Split, may_lack_modality: bool) -> None:
    """Refuses a split with a subject that lacks every modality, or one that it may not lack.

    Raises:
        InputError: there is such a subject.
    """
    for subject_id in (subject_id for ids in split.roles().values() for subject_id in ids):
        missing = missing_modalities(cohort.modalities, cohort.subjects[subject_id].images)
        if lacks_too_many(missing, cohort.modalities, may_lack_modality):
            expected = f"all of {', '.join(cohort.modalities)}"
            if len(missing) < len(cohort.modalities):
                expected += ", or --drop-modality for scans that lack one"
            raise InputError(cohort.root, f"no {', '.join(missing)} for subject {subject_id}", expected)


def note_scan(seen: Seen, subject_id: str, volumes: list[Volume | None]) -> None:
    """Adds a subject's volumes to `seen`.

    Raises:
        InputError: one of them is there already, under whatever name.
    """
    for digest, volume in zip(digest_images(volumes), filter(None, volumes), strict=True):
        other = seen.setdefault(digest, (subject_id, volume.path))
        if other != (subject_id, volume.path):
            expected = "each scan once: a copy in another role would leak"
            raise InputError(volume.path, f"the scan of {other[1]} again", expected)
