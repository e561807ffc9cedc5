"""Several models as one, as of folds or of seeds."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tf_msgan.errors import InputError
from tf_msgan.inference.scan_segmenter import ScanSegmenter
from tf_msgan.inference.tissue_maps import TissueMaps


class Ensemble:
    """Takes the mean of several segmenters' probabilities, and labels from that.

    Args:
        segmenters: one or more, by the names of their runs.

    Raises:
        InputError: one has other tissues, or scans are prepared for it in another way.
    """

    def __init__(self, segmenters: Mapping[str, ScanSegmenter]):
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
        """Segments one scan as a `Segmenter` does, without an outline; says so if the outline of any failed."""
        # One after another, so that no more than two models' maps are held.
        results = (segmenter(image) for segmenter in self._segmenters)
        first = next(results)
        probabilities, p_real, failed = first.probabilities, first.p_real, first.outline_failed
        for result in results:
            probabilities += result.probabilities
            p_real = None if p_real is None or result.p_real is None else p_real + result.p_real
            failed |= result.outline_failed
        probabilities /= len(self._segmenters)
        if p_real is not None:
            p_real /= len(self._segmenters)
        return TissueMaps(
            labels=np.argmax(probabilities, axis=-1).astype(np.uint8),
            probabilities=probabilities,
            p_real=p_real,
            outline=None,
            outline_failed=failed,
        )
