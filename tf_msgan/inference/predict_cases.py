"""Segments case after case; a bad one does not stop the others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.data.cases import Case, lack_modalities
from tf_msgan.data.cohort import missing_modalities, read_images, reference_of
from tf_msgan.data.volumes import Volume
from tf_msgan.errors import InputError
from tf_msgan.inference.outputs import Outputs
from tf_msgan.inference.own_grid import segment_volumes
from tf_msgan.inference.segmenter import Segmentation
from tf_msgan.inference.unlike import unlike_training
from tf_msgan.memory import memory_named


@dataclass(frozen=True)
class Prediction:
    """A case that was segmented, with its first modality; `doubts` say why not to trust that, `error` why it was not
    segmented."""

    case: Case
    reference: Volume | None = None
    result: Segmentation | None = None
    doubts: tuple[str, ...] = ()
    error: InputError | None = None


def predict_cases(
    cases: Iterable[Case],
    modalities: tuple[str, ...],
    segment: Callable[[np.ndarray], Segmentation],
    preparation: Preparation,
    may_lack_modality: bool,
    outputs: Outputs,
) -> Iterator[Prediction]:
    """Reads, segments and writes one case at a time; none takes the place of another scan's.

    Args:
        cases: which.
        modalities: of the model, by name.
        segment: takes a raw image `(i, j, k, modality)`: a `Segmenter`, or a server.
        preparation: of the model.
        may_lack_modality: whether the model was trained for that.
        outputs: where to.

    Raises:
        OSError: a file cannot be written; no further case could be.
    """
    for case in cases:
        try:
            case = lack_modalities(case, modalities, may_lack_modality)
            outputs.check_free(case)
            with memory_named(case.id, "a smaller scan, or more memory"):
                volumes = read_images(case.images)
                result = segment_volumes(volumes, segment, preparation)
                outputs.write(case, reference_of(volumes), result)
        except InputError as error:
            yield Prediction(case, error=error)
            continue
        reference, doubts = reference_of(volumes), unlike_training(volumes, preparation)
        if missing := missing_modalities(modalities, case.images):
            doubts.append(f"segmented without {', '.join(missing)}, which it lacks")
        if result.outline_failed:
            doubts.append("hardly any brain was outlined; all of it was refined")
        yield Prediction(case, reference, result, tuple(doubts))
