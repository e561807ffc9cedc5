"""Several models as one, as of folds or of seeds."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tf_msgan.errors import InputError
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.inference.tissue_maps import TissueMaps


class Ensemble:
    """Takes the mean of several segmenters' probabilities, and labels from that.

    Args:
        segmenters: one or more, by the names of their runs.

    Raises:
        InputError: one has other tissues, or scans are prepared for it in another way.
    """

    def __init__(self, segmenters: Mapping[str, Segmenter]):
        (name, first), *others = segmenters.items()
        for other, segmenter in others:
            if segmenter.tissues != first.tissues:
                raise InputError(other, f"the tissues {', '.join(segmenter.tissues)}", f"those of {name}")
            # The usual spacing of their training subjects may differ.
            alike = dataclasses.replace(segmenter.preparation, spacing=first.preparation.spacing)
            if alike != first.preparation:
                raise InputError(other, f"scans prepared as {segmenter.preparation}", f"those of {name}")
        self._segmenters = tuple(segmenters.values())
        self.tissues = first.tissues
        self.preparation = first.preparation
        self.takes_missing_modality = all(segmenter.takes_missing_modality for segmenter in self._segmenters)

    def __call__(self, image: np.ndarray) -> TissueMaps:
        """As of a `Segmenter`, without an outline; its failure in any is told."""
        count, results = len(self._segmenters), (segmenter(image) for segmenter in self._segmenters)
        first = next(results)
        probabilities, p_real, failed = first.probabilities, first.p_real, first.outline_failed
        for result in results:
            probabilities += result.probabilities
            if p_real is not None:
                p_real += result.p_real
            failed |= result.outline_failed
        probabilities /= count
        if p_real is not None:
            p_real /= count
        return TissueMaps(np.argmax(probabilities, axis=-1).astype(np.uint8), probabilities, p_real, None, failed)
