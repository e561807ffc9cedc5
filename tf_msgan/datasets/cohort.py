"""Subjects on disk."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.modality_names import find_modality
from tf_msgan.errors import InputError
from tf_msgan.io.images import reference_of
from tf_msgan.io.read_volumes import read_codes
from tf_msgan.io.volumes import Volume, check_same_grid


@dataclass(frozen=True)
class Subject:
    """Files of one subject.

    Attributes:
        images: one a modality, in the cohort's order; None where the folder has none.
        label: the label map, or None.
        held_out: whether it lies in the layout's own test set; then no split gives it a role in training.
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
        """The first image that is there; all else lies on its grid."""
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

    def with_modalities(self, names: Sequence[str]) -> "Cohort":
        """The cohort with some of its modalities, in the order of `names`, in which T1 may be written for T1w; an
        unlabelled subject that has none of them is left out.

        Raises:
            InputError: a name is not among the modalities, or stands twice.
        """
        chosen = [self._number_of(name) for name in names]
        if len(set(chosen)) < len(chosen) or not chosen:
            raise InputError(self.root, f"the modalities {', '.join(names) or 'none'}", "one or more, each once")
        subjects = {}
        for subject_id, subject in self.subjects.items():
            images = tuple(subject.images[n] for n in chosen)
            if any(images) or subject.label:
                subjects[subject_id] = dataclasses.replace(subject, images=images)
        return dataclasses.replace(self, modalities=tuple(self.modalities[n] for n in chosen), subjects=subjects)

    def _number_of(self, modality: str) -> int:
        number = find_modality(modality, self.modalities)
        if number is None:
            unused = find_modality(modality, list(self.left_out))
            found = f"no modality {modality}"
            if unused is not None:
                found = f"labelled {list(self.left_out.values())[unused]} without {modality}"
            raise InputError(self.root, found, f"some of {', '.join(self.modalities)}")
        return number

    def remarks(self) -> list[str]:
        """What lies in the folder and is not used, a line each."""
        lines = [f"{name} is not used: {lacking} is labelled and has none" for name, lacking in self.left_out.items()]
        if self.stray:
            lines.append(f"label maps that fit no scan: {len(self.stray)}, such as {self.stray[0]}")
        return lines


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
    """Takes a label map's codes to `(i, j, k)` uint8 classes, on the grid of its scan.

    Raises:
        InputError: it lies on another grid, or its codes are not those of the cohort.
    """
    reference = reference_of(volumes)
    check_same_grid(codes, reference)
    return cohort.labels.encode(codes, reference.data != 0)
