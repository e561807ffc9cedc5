"""Segments case after case; a bad one does not stop the others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tf_msgan.data.cases import Case
from tf_msgan.data.cohort import read_images, stack_images
from tf_msgan.data.volumes import Volume
from tf_msgan.errors import InputError
from tf_msgan.inference.outputs import Outputs
from tf_msgan.inference.segmenter import Segmentation


@dataclass(frozen=True)
class Prediction:
    """A case that was segmented, with its first modality; `error` says why it was not."""

    case: Case
    reference: Volume | None = None
    result: Segmentation | None = None
    error: InputError | None = None


def predict_cases(
    cases: Iterable[Case], segment: Callable[[np.ndarray], Segmentation], outputs: Outputs
) -> Iterator[Prediction]:
    """Reads, segments and writes one case at a time.

    Args:
        cases: which.
        segment: takes a raw image `(i, j, k, modality)`: a `Segmenter`, or a server.
        outputs: where to.

    Raises:
        OSError: a file cannot be written; no further case could be.
    """
    for case in cases:
        try:
            volumes = read_images(case.images)
            result = segment(stack_images(volumes))
        except InputError as error:
            yield Prediction(case, error=error)
            continue
        outputs.write(case, volumes[0], result)
        yield Prediction(case, volumes[0], result)
