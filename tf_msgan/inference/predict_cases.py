"""Segments case after case; a bad one does not stop the others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tf_msgan.datasets.cases import Case, lack_modalities
from tf_msgan.errors import InputError, memory_named
from tf_msgan.inference.outputs import Outputs
from tf_msgan.inference.predictor import Predictor
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.images import read_images, reference_of
from tf_msgan.io.volumes import Volume


@dataclass(frozen=True)
class Prediction:
    """A case that was segmented, with its first modality; `doubts` say why not to trust that, `error` why it was not
    segmented."""

    case: Case
    reference: Volume | None = None
    result: TissueMaps | None = None
    doubts: tuple[str, ...] = ()
    error: InputError | None = None


def predict_cases(cases: Iterable[Case], predictor: Predictor, outputs: Outputs) -> Iterator[Prediction]:
    """Reads, segments and writes one case at a time; none takes the place of another scan's.

    Args:
        cases: the scans.
        predictor: what segments them.
        outputs: where their files go.

    Raises:
        OSError: a file cannot be written; no further case could be.
    """
    for case in cases:
        try:
            case = lack_modalities(case, predictor.modalities, predictor.takes_missing_modality)
            outputs.check_free(case)
            with memory_named(case.id, "a smaller scan, or more memory"):
                volumes = read_images(case.images)
                result = predictor.segment(volumes)
                outputs.write(case, reference_of(volumes), result)
        except InputError as error:
            yield Prediction(case, error=error)
            continue
        doubts = tuple(predictor.doubts(volumes, result))
        yield Prediction(case, reference=reference_of(volumes), result=result, doubts=doubts)
