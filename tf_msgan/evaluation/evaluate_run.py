"""Scores a trained run on its test subjects, and writes `evaluation.json`, `figures/` and `report.html`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tf_msgan.data.cohort import Cohort, Scan, load_scan, make_scan, read_images, stack_images
from tf_msgan.data.splits import Split
from tf_msgan.evaluation.figures import draw_case, draw_curves, draw_health, draw_samples
from tf_msgan.evaluation.metrics import mean_scores, score
from tf_msgan.evaluation.references import fit_qda, segment_by_intensity
from tf_msgan.evaluation.report import format_table, read_history, read_samples, write_report
from tf_msgan.files import write_json
from tf_msgan.inference.segmenter import Segmentation, Segmenter
from tf_msgan.progress import Progress
from tf_msgan.run_folder import read_run_config
from tf_msgan.training.msgan import MultiStageGAN
from tf_msgan.training.run import load_model


@dataclass(frozen=True)
class Case:
    """A test subject, the model's segmentation of it, and the scores of the model and of the QDA reference."""

    scan: Scan
    segmentation: Segmentation
    scores: dict
    reference_scores: dict


def evaluate_and_report(run: Path, cohort: Cohort, split: Split, progress: Progress) -> str:
    """Evaluates `run/model.keras` and writes what the run folder still lacks. Returns the table as text."""
    tissues = cohort.labels.tissues
    scores, reference_scores = {}, {}
    for case in evaluate_cases(load_model(run), cohort, split, progress):
        id = case.scan.id
        scores[id], reference_scores[id] = case.scores, case.reference_scores
        draw_case(run / "figures" / f"subject-{id}.png", case.scan, case.segmentation.labels, tissues, case.scores)
    history = read_history(run / "history.csv")
    draw_curves(run / "figures" / "curves.png", history, tissues)
    draw_health(run / "figures" / "health.png", history)
    draw_samples(run / "figures" / "samples.png", read_samples(run), tissues)
    evaluation = {
        "subjects": scores,
        "mean": mean_scores(scores),
        "references": {"qda": {"subjects": reference_scores, "mean": mean_scores(reference_scores)}},
    }
    write_json(run / "evaluation.json", evaluation)
    run_config = read_run_config(run)
    write_report(run, run_config, evaluation)
    note = "These are figures on phantoms, not on scans.\n" if run_config["data"]["phantoms"] else ""
    return f"\n{format_table(evaluation)}\n{note}\nreport: {run / 'report.html'}"


def evaluate_cases(model: MultiStageGAN, cohort: Cohort, split: Split, progress: Progress) -> Iterator[Case]:
    """Segments and scores one test subject at a time."""
    tissues = cohort.labels.tissues
    qda = fit_qda([load_scan(cohort, id, with_labels=True) for id in split.train])
    segmenter, show = Segmenter(model), progress.task("segmenting test subjects")
    for done, id in enumerate(split.test, start=1):
        volumes = read_images(cohort.subjects[id].images)
        scan = make_scan(cohort, id, volumes, with_labels=True)
        segmentation = segmenter(stack_images(volumes))
        show(done, len(split.test))
        reference = segment_by_intensity(qda, scan)
        yield Case(
            scan,
            segmentation,
            score(scan.labels, segmentation.labels, tissues),
            score(scan.labels, reference, tissues),
        )
