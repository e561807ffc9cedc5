"""Test subjects, as their files have them and as networks see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.datasets.cohort import Cohort, read_labels
from tf_msgan.datasets.splits import Split
from tf_msgan.evaluation.metrics import Scores, score
from tf_msgan.io.images import read_images, reference_of
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.preprocessing.raw_image import network_grid, take_image
from tf_msgan.preprocessing.scan import Scan, make_scan


@dataclass(frozen=True)
class Tested:
    """A test subject.

    Attributes:
        images: of its modalities, None for one that it lacks.
        truth: `(i, j, k)` uint8 classes on the grid of its files.
        grid: on which networks see it.
        raw: `(i, j, k, modality)` float32 on that grid.
        scan: `raw`, prepared.
    """

    id: str
    images: list[Volume | None]
    truth: np.ndarray
    grid: NetworkGrid
    raw: np.ndarray
    scan: Scan

    def score(self, labels: np.ndarray, tissues: Sequence[str]) -> Scores:
        """Returns `metrics.score` of `(i, j, k)` classes on the grid of its files."""
        return score(self.truth, labels, tissues, reference_of(self.images).spacing)


def read_tested(cohort: Cohort, split: Split, preparation: Preparation) -> Iterator[Tested]:
    """Reads one test subject of the split after the other.

    Raises:
        InputError: a file is missing or wrong.
    """
    for subject_id in split.test:
        images = read_images(cohort.subjects[subject_id].images)
        truth, grid = read_labels(cohort, subject_id, images), network_grid(images, preparation)
        raw = take_image(images, grid, preparation)
        scan = make_scan(subject_id, raw, labels=None, grid=grid, preparation=preparation)
        yield Tested(subject_id, images=images, truth=truth, grid=grid, raw=raw, scan=scan)
