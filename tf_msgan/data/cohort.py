"""Subjects on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tf_msgan.data.labels import LabelTable
from tf_msgan.data.volumes import Volume, check_same_grid, read_codes, read_image
from tf_msgan.errors import InputError


@dataclass(frozen=True)
class Subject:
    """Files of one subject.

    Attributes:
        images: one a modality, in the cohort's order; None where the folder has none.
        label: the label map, or None.
        held_out: it lies in the layout's own test set, and no split gives it a role in training.
        person: whose scan it is, where one may have several; else empty.
    """

    id: str
    images: tuple[Path | None, ...]
    label: Path | None
    held_out: bool = False
    person: str = ""

    def whose(self) -> str:
        """The person, or the subject itself."""
        return self.person or self.id

    def reference(self) -> Path:
        """The first image that there is, on whose grid all else lies."""
        return next(filter(None, self.images))


@dataclass(frozen=True)
class Cohort:
    """What a layout found in a folder.

    Attributes:
        subjects: by id.
        crop: the layout's own of `Preparation`, or None where it may be either.
        left_out: modalities that some scans have and the cohort does without, each with a labelled scan that lacks it.
        stray: label maps that fit no scan.
    """

    layout: str
    root: Path
    modalities: tuple[str, ...]
    labels: LabelTable
    subjects: dict[str, Subject]
    crop: str | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    stray: tuple[Path, ...] = ()

    def remarks(self) -> list[str]:
        """What lies in the folder and is not used, a line each."""
        lines = [f"{name} is not used: {id} is labelled and has none" for name, id in self.left_out.items()]
        if self.stray:
            lines.append(f"label maps that fit no scan: {len(self.stray)}, such as {self.stray[0]}")
        return lines


def missing_modalities(modalities, images) -> list[str]:
    """Names of the modalities that `images`, one of each, are None for."""
    return [name for name, image in zip(modalities, images, strict=True) if image is None]


def reference_of(volumes: list[Volume | None]) -> Volume:
    """The first of `read_images`'s volumes that there is, on whose grid all else lies."""
    return next(filter(None, volumes))


def read_images(paths) -> list[Volume | None]:
    """Reads the modalities of one scan, intensities as they are; None for one that has no file.

    Raises:
        InputError: a file is missing or wrong, one has no contrast where the first is not 0, or they do not share a
            grid.
    """
    volumes = [path and read_image(path) for path in paths]
    reference = reference_of(volumes)
    for volume in filter(None, volumes):
        check_same_grid(volume, reference)
    mask = reference.data != 0
    if not mask.any():
        raise InputError(reference.path, "only zeros", "a scan")
    for volume in filter(None, volumes):
        inside = volume.data[mask]
        if inside.min() == inside.max():
            raise InputError(volume.path, f"the constant {inside[0]:g} all over the scan", "a scan with contrast")
    return volumes


def read_labels(cohort: Cohort, subject_id: str, volumes: list[Volume | None]) -> np.ndarray:
    """Reads the `(i, j, k)` uint8 classes of a subject on the grid of its scan, `read_images`'s volumes.

    Raises:
        InputError: there is no label map, it is wrong, or it lies on another grid.
    """
    label = cohort.subjects[subject_id].label
    if label is None:
        raise InputError(cohort.root, f"no label map for subject {subject_id}", "one, for its role in the split")
    return encode_labels(cohort, read_codes(label), volumes)


def encode_labels(cohort: Cohort, codes: Volume, volumes: list[Volume | None]) -> np.ndarray:
    """`read_labels` of a label map's codes, for whoever needs these too."""
    reference = reference_of(volumes)
    check_same_grid(codes, reference)
    return cohort.labels.encode(codes, reference.data != 0)
