"""The two references of a comparison that train no network, scored like its models."""

import json
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.evaluation.hmrf import segment_by_hmrf, tissue_orders
from tf_msgan.evaluation.metrics import Scores, mean_scores
from tf_msgan.evaluation.qda import fit_qda, segment_by_intensity
from tf_msgan.evaluation.tested import read_tested
from tf_msgan.io.atomic_files import write_json
from tf_msgan.preprocessing.scan import Scan
from tf_msgan.runs.machine import describe_machine
from tuning.cells import Cell, split_of
from tuning.outcomes import Comparison, Outcome
from tuning.statistics import Groups


def reference_outcomes(comparison: Comparison, labeled: int) -> Groups:
    """Returns outcomes by (name, labelled, ""), lists of one; each reference is computed once, and kept in `cells/`.
    HMRF is left out where it means nothing (`tissue_orders`)."""
    path = comparison.folder / "cells" / f"references-{labeled}-labelled.json"
    if not path.exists():
        write_json(path, _compute(comparison, labeled))
    outcomes = json.loads(path.read_text(encoding="utf-8"))
    return {(name, labeled, ""): [outcome] for name, outcome in outcomes.items()}


def _compute(comparison: Comparison, labeled: int) -> dict[str, Outcome]:
    cohort, preparation = comparison.cohort, comparison.config.preparation
    classes = len(cohort.labels.tissues) + 1
    train = split_of(Cell("references", labeled, 0), cohort, comparison.split).train

    def labelled() -> Iterator[Scan]:
        for subject_id in train:
            yield load_scan(cohort, subject_id, with_labels=True, preparation=preparation)

    qda = fit_qda(labelled())
    orders = tissue_orders(labelled(), preparation)
    segment: dict[str, Callable[[Scan], np.ndarray]] = {"qda": lambda scan: segment_by_intensity(qda, scan, classes)}
    if orders is not None:
        segment["hmrf"] = lambda scan: segment_by_hmrf(orders, scan, classes)
    subjects: dict[str, dict[str, Scores]] = {name: {} for name in segment}
    seconds: dict[str, list[float]] = {name: [] for name in segment}
    for tested in read_tested(cohort, comparison.split, preparation):
        for name, function in segment.items():
            start = time.perf_counter()
            drawn = tested.grid.give_back(function(tested.scan)).argmax(axis=-1)
            seconds[name].append(time.perf_counter() - start)
            subjects[name][tested.id] = tested.score(drawn, cohort.labels.tissues)
    return {
        name: {
            "subjects": scores,
            "mean": mean_scores(scores),
            "volume_seconds": statistics.median(seconds[name]),
            "machine": describe_machine(),
        }
        for name, scores in subjects.items()
    }
