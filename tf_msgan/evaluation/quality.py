"""The quality page of predictions: every case in three planes, those that stand out first."""

import contextlib
import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tf_msgan.datasets.cases import Case
from tf_msgan.evaluation.figures import draw_prediction
from tf_msgan.evaluation.run_report import data_url, render
from tf_msgan.inference.outputs import Outputs
from tf_msgan.inference.predict_cases import Prediction
from tf_msgan.io.atomic_files import write_text

# Fewer cases say nothing of what is usual.
LEAST_CASES = 5


@dataclass(frozen=True)
class CaseFacts:
    """What the page says of a case: mL by tissue, mean entropy in the brain (0..1), whether the outline failed."""

    case: Case
    volumes: dict[str, float]
    entropy: float
    outline_failed: bool


def draw(prediction: Prediction, outputs: Outputs, figure: bool) -> None:
    """Draws a case that was segmented for the page and, if `figure`, a larger picture beside its label map."""
    case, reference, result = prediction.case, prediction.reference, prediction.result
    assert reference is not None and result is not None

    def draw_to(path: Path, dpi: int) -> None:
        draw_prediction(
            path,
            image=reference.data,
            labels=result.labels,
            affine=reference.affine,
            tissues=outputs.tissues,
            title=case.id,
            dpi=dpi,
        )

    draw_to(outputs.thumbnail(case), dpi=70)
    if figure:
        draw_to(outputs.path(case, "figure.png"), dpi=160)


def is_done(case: Case, outputs: Outputs, wanted: Iterable[str] = ()) -> bool:
    """Returns whether an earlier call segmented and drew the case, from the same files by the same model, and made the
    files of the `wanted` kinds too."""
    files = (outputs.thumbnail(case), *(outputs.path(case, kind) for kind in wanted))
    return outputs.holds(case) and all(path.is_file() for path in files)


def write_page(cases: list[Case], outputs: Outputs) -> Path:
    """Writes `qc.html` over all of the cases that are done, in whatever call. Returns its path."""
    done = []
    for case in cases:
        # Another shard may be segmenting a case anew.
        with contextlib.suppress(FileNotFoundError):
            if is_done(case, outputs):
                done.append((_read(outputs, case), data_url(outputs.thumbnail(case))))
    scores = outlier_scores([facts for facts, _ in done])
    rows: list[dict[str, Any]] = [
        {"facts": facts, "score": score, "picture": picture}
        for (facts, picture), score in zip(done, scores, strict=True)
    ]
    rows.sort(key=lambda row: (row["facts"].outline_failed, row["score"]), reverse=True)
    page = outputs.root / "qc.html"
    write_text(page, render("quality.html.jinja", rows=rows, tissues=outputs.tissues, source=outputs.source))
    return page


def outlier_scores(facts: list[CaseFacts]) -> list[float]:
    """Returns how far each case stands out: the largest of the robust z-scores |x − median| / (1.4826 × MAD) of its
    total volume (log), its tissues' shares of it and its mean entropy. 0 for all of fewer than `LEAST_CASES`."""
    if len(facts) < LEAST_CASES:
        return [0.0] * len(facts)
    volumes = np.array([list(fact.volumes.values()) for fact in facts])
    total = volumes.sum(axis=1, keepdims=True)
    shares = volumes / np.maximum(total, 1e-9)
    features = np.concatenate([np.log(np.maximum(total, 1e-9)), shares, [[f.entropy] for f in facts]], axis=1)
    apart = np.abs(features - np.median(features, axis=0))
    # A spread of less than a thousandth is rounding, and nobody's outlier.
    return (apart / (1.4826 * np.median(apart, axis=0) + 1e-3)).max(axis=1).tolist()


def _read(outputs: Outputs, case: Case) -> CaseFacts:
    with open(outputs.path(case, "volumes.tsv"), newline="", encoding="utf-8") as file:
        volumes = {row["tissue"]: float(row["volume_ml"]) for row in csv.DictReader(file, delimiter="\t")}
    facts = json.loads(outputs.path(case, "dseg.json").read_text(encoding="utf-8"))
    return CaseFacts(case, volumes, facts["MeanEntropy"], facts["OutlineFailed"])
