"""Scores a trained run on its test subjects, and writes `evaluation.json`, `figures/` and `report.html`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import memory_named
from tf_msgan.evaluation.figures import draw_case, draw_curves, draw_health, draw_samples
from tf_msgan.evaluation.metrics import Scores, dice
from tf_msgan.evaluation.qda import fit_qda, segment_by_intensity
from tf_msgan.evaluation.run_report import Evaluation, format_table, read_history, read_samples, with_mean, write_report
from tf_msgan.evaluation.tested import read_tested
from tf_msgan.inference.own_grid import give_back
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.atomic_files import write_json
from tf_msgan.io.volumes import Volume
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.preprocessing.reserved_values import IGNORE
from tf_msgan.progress import Progress, silent
from tf_msgan.runs.run_record import read_run_record
from tf_msgan.runs.trained_model import load_model


@dataclass(frozen=True)
class EvaluatedCase:
    """A test subject on the grid of its files.

    Attributes:
        images: of its modalities, None for one that it lacks.
        truth: `(i, j, k)` uint8 classes.
        segmentation: the model's.
        scores, reference_scores: of the model, and of the QDA reference.
        seconds: for the segmentation, without reading and scoring; the first case's has the graph's making in it.
        outline: Dice of the coarse stage's outline with what is labelled at all; None without such a stage.
    """

    id: str
    images: list[Volume | None]
    truth: np.ndarray
    segmentation: TissueMaps
    scores: Scores
    reference_scores: Scores
    seconds: float
    outline: float | None


def evaluate_and_report(run: Path, cohort: Cohort, split: Split, progress: Progress = silent) -> str:
    """Evaluates `run/model.keras` and writes what the run folder still lacks. Returns the table as text."""
    tissues = cohort.labels.tissues
    scores: dict[str, Scores] = {}
    reference_scores: dict[str, Scores] = {}
    outlines: dict[str, float] = {}
    seconds: dict[str, float] = {}
    # What is not there is missed before the work.
    history, samples, model = read_history(run / "history.csv"), read_samples(run), load_model(run)
    for case in evaluate_cases(model, cohort, split, progress):
        scores[case.id], reference_scores[case.id] = case.scores, case.reference_scores
        seconds[case.id] = case.seconds
        if case.outline is not None:
            outlines[case.id] = case.outline
        modality, reference = next((m, image) for m, image in zip(cohort.modalities, case.images, strict=True) if image)
        draw_case(
            run / "figures" / f"subject-{case.id}.png",
            subject=case.id,
            reference=reference,
            modality=modality,
            truth=case.truth,
            prediction=case.segmentation.labels,
            tissues=tissues,
            scores=case.scores,
        )
    draw_curves(run / "figures" / "curves.png", history, tissues)
    draw_health(run / "figures" / "health.png", history)
    draw_samples(run / "figures" / "samples.png", samples, tissues)
    evaluation: Evaluation = {
        **with_mean(scores),
        "references": {"qda": with_mean(reference_scores)},
        "outline": {"subjects": outlines, "mean": float(np.mean(list(outlines.values())))}
        if model.has_coarse_stage
        else None,
    }
    write_json(run / "evaluation.json", evaluation)
    # Apart, so that a repeated evaluation is the same, byte by byte.
    write_json(run / "seconds.json", seconds)
    record = read_run_record(run)
    write_report(run, record, evaluation)
    note = "These are figures on phantoms, not on scans.\n" if record.data.phantoms else ""
    return f"\n{format_table(evaluation, model.config.model)}\n{note}\nreport: {run / 'report.html'}"


def evaluate_cases(
    model: SegmentationModel, cohort: Cohort, split: Split, progress: Progress = silent
) -> Iterator[EvaluatedCase]:
    """Segments and scores one test subject at a time, on the grid of its files."""
    tissues, preparation = cohort.labels.tissues, model.config.preparation
    labelled = (load_scan(cohort, subject_id, with_labels=True, preparation=preparation) for subject_id in split.train)
    qda = fit_qda(labelled)
    segmenter = Segmenter(model, with_outline=True)
    for done, tested in enumerate(read_tested(cohort, split, preparation), start=1):
        start = time.perf_counter()
        with memory_named(f"subject {tested.id}", "a smaller scan, or more memory"):
            segmentation = give_back(segmenter(tested.raw), tested.grid)
        seconds = time.perf_counter() - start
        outline = _outline_dice(tested.truth, segmentation.outline) if segmentation.outline is not None else None
        by_intensity = tested.grid.give_back(segment_by_intensity(qda, tested.scan, len(tissues) + 1))
        progress("segmenting test subjects", done, len(split.test))
        yield EvaluatedCase(
            id=tested.id,
            images=tested.images,
            truth=tested.truth,
            segmentation=segmentation,
            scores=tested.score(segmentation.labels, tissues),
            reference_scores=tested.score(by_intensity.argmax(axis=-1), tissues),
            seconds=seconds,
            outline=outline,
        )


def _outline_dice(truth: np.ndarray, outline: np.ndarray) -> float:
    brain = np.where(truth == IGNORE, IGNORE, truth > 0).astype(np.uint8)
    return dice(brain, (outline > 0.5).astype(np.uint8), 1)
