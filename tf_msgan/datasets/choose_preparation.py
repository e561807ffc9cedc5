"""Chooses what is done to a cohort's scans, from its training subjects alone."""

import dataclasses
from typing import Any

import numpy as np

from tf_msgan.config import Config, Preparation
from tf_msgan.datasets.check_scans import check_modalities
from tf_msgan.datasets.cohort import Cohort, read_labels
from tf_msgan.datasets.splits import Split
from tf_msgan.io.images import read_images, reference_of
from tf_msgan.io.read_volumes import read_grid
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.preprocessing.reserved_values import IGNORE

# Label maps of skull-stripped scans cover nearly all that is not 0; the brain is about a third of a head.
STRIPPED_SHARE = 0.7


def choose_preparation(cohort: Cohort, split: Split, **asked: Any) -> Preparation:
    """Returns the `Preparation` of a run over the split: the fields that are `asked` for and, unless asked for, the
    spacing of the training subjects, and the crop that is the layout's own, or that the first of them shows.

    Raises:
        InputError: a field is wrong, or a file of a training subject is missing or wrong.
    """
    preparation = Preparation(**asked)
    if "crop" not in asked:
        preparation = dataclasses.replace(preparation, crop=cohort.crop or _crop_of(cohort, split.train[0]))
    if "spacing" in asked:
        return preparation
    grids = [read_grid(cohort.subjects[subject_id].reference()) for subject_id in split.train]
    spacings = [NetworkGrid(shape, affine, preparation.resample).spacing for shape, affine in grids]
    i, j, k = (round(float(mm), 4) for mm in np.median(spacings, axis=0))
    return dataclasses.replace(preparation, spacing=(i, j, k))


def prepare_config(config: Config, cohort: Cohort, split: Split, **asked: Any) -> Config:
    """Returns the config with what is to be done to the cohort's scans: as `asked` for, else as they look.

    Raises:
        InputError: a subject lacks a modality and may not, or as of `choose_preparation`.
    """
    check_modalities(cohort, split, config.augmentation.may_lack_modality)
    return dataclasses.replace(config, preparation=choose_preparation(cohort, split, **asked))


def _crop_of(cohort: Cohort, subject_id: str) -> str:
    volumes = read_images(cohort.subjects[subject_id].images)
    mask = reference_of(volumes).data != 0
    labels = read_labels(cohort, subject_id, volumes)[mask]
    ignored = np.count_nonzero(labels == IGNORE)
    tissue = np.count_nonzero(labels) - ignored
    # Scribbles: then what is ignored does not say where the brain is.
    counted = tissue if ignored > tissue else tissue + ignored
    return "brain" if counted >= STRIPPED_SHARE * labels.size else "nonzero"
