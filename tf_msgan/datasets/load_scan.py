"""Subjects as the networks see them."""

import numpy as np

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.datasets.cohort import Cohort, read_labels
from tf_msgan.errors import InputError
from tf_msgan.io.images import read_images
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.preprocessing.raw_image import network_grid, take_image
from tf_msgan.preprocessing.scan import Scan, make_scan, tissue_mask


def load_scan(cohort: Cohort, subject_id: str, with_labels: bool, preparation: Preparation = STRIPPED) -> Scan:
    """Reads, checks and prepares one subject. No statistic passes from one subject to another.

    Raises:
        InputError: a file is missing or wrong, the modalities do not share a grid, or resampling leaves no label.
    """
    volumes = read_images(cohort.subjects[subject_id].images)
    grid = network_grid(volumes, preparation)
    labels = _take_labels(cohort, subject_id, volumes, grid) if with_labels else None
    return make_scan(subject_id, take_image(volumes, grid, preparation), labels, grid, preparation)


def _take_labels(cohort: Cohort, subject_id: str, volumes: list[Volume | None], grid: NetworkGrid) -> np.ndarray:
    labels = grid.take(read_labels(cohort, subject_id, volumes), order=0)
    if not tissue_mask(labels).any():
        spacing = " × ".join(f"{mm:.3g}" for mm in grid.spacing)
        label = cohort.subjects[subject_id].label
        raise InputError(label, f"no labelled voxel left at {spacing} mm", "a finer --resample")
    return labels
