"""The report of a run: a table for the terminal, and a page that holds all its pictures."""

import base64
import csv
import importlib.resources
from pathlib import Path
from typing import Any, TypedDict

import jinja2
import numpy as np

from tf_msgan.errors import InputError
from tf_msgan.evaluation.metrics import DISTANCES, Scores, mean_dice, mean_scores
from tf_msgan.io.atomic_files import write_text
from tf_msgan.runs.run_record import CONFIG, RunRecord

# Rows of the picture of samples.
SAMPLED_EPOCHS = 5


class Scored(TypedDict):
    """The scores of some method: by test subject, and their means."""

    subjects: dict[str, Scores]
    mean: Scores


class Outline(TypedDict):
    """Dice of the coarse stage's outline: by test subject, and their mean."""

    subjects: dict[str, float]
    mean: float


class Evaluation(Scored):
    """What `evaluation.json` holds: the model's scores, those of the methods without training by name, and those of the
    coarse stage's outline, None without such a stage."""

    references: dict[str, Scored]
    outline: Outline | None


def with_mean(subjects: dict[str, Scores]) -> Scored:
    return {"subjects": subjects, "mean": mean_scores(subjects)}


def dice_rows(evaluation: Evaluation, model: str) -> list[dict[str, Any]]:
    """Returns the table's rows, `{"name", "kind", "dice"}`: every subject, the mean over them, and the references."""

    def row(name: str, kind: str, scores: Scores) -> dict[str, Any]:
        return {"name": name, "kind": kind, "dice": [*(s["dice"] for s in scores.values()), mean_dice(scores)]}

    rows = [row(subject_id, "subject", scores) for subject_id, scores in evaluation["subjects"].items()]
    rows.append(row(f"{model}, mean", "mean", evaluation["mean"]))
    rows += [
        row(f"{name.upper()}, mean", "reference", reference["mean"])
        for name, reference in evaluation["references"].items()
    ]
    return rows


def distance_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Returns `{"name", "values"}` of each of `DISTANCES`: its mean over the subjects, by tissue."""
    means = evaluation["mean"].values()
    return [{"name": title, "values": [of[metric] for of in means]} for metric, title in DISTANCES.items()]


def format_table(evaluation: Evaluation, model: str) -> str:
    """Returns the table as text, the mean distances below."""
    rows = dice_rows(evaluation, model)
    columns = [*evaluation["mean"], "mean"]
    first, widths = max(20, *(len(row["name"]) + 1 for row in rows)), [max(8, len(name) + 2) for name in columns]
    lines = ["test Dice".ljust(first) + "".join(map(str.rjust, columns, widths))]
    for row in rows:
        values = (f"{value:{width}.3f}" for value, width in zip(row["dice"], widths, strict=True))
        lines.append(row["name"].ljust(first) + "".join(values))
    for row in distance_rows(evaluation):
        values = (f"{value:{width}.2f}" for value, width in zip(row["values"], widths, strict=False))
        lines.append(f"mean {row['name']}".ljust(first) + "".join(values))
    return "\n".join(lines)


def read_history(path: Path) -> dict[str, list[float]]:
    """Reads `history.csv`, one row an epoch, as columns; NaN where an epoch had no such term."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}


def read_samples(run: Path) -> dict[int, dict[str, np.ndarray]]:
    """Reads the slices of at most `SAMPLED_EPOCHS` epochs, first and last included, by epoch from 1.

    Raises:
        InputError: there are none.
    """
    paths = {int(path.stem.removeprefix("epoch-")): path for path in run.glob("samples/epoch-*.npz")}
    if not paths:
        raise InputError(run / "samples", "no epoch-*.npz", "the samples that tf_msgan.train left there")
    epochs = sorted(paths)
    chosen = {epochs[round(at)] for at in np.linspace(0, len(epochs) - 1, min(SAMPLED_EPOCHS, len(epochs)))}
    return {epoch: dict(np.load(paths[epoch])) for epoch in sorted(chosen)}


def write_report(run: Path, record: RunRecord, evaluation: Evaluation) -> None:
    """Writes `report.html` into the run folder, from its `history.csv`, `figures/` and the evaluation."""
    history = read_history(run / "history.csv")
    epochs = len(history["epoch"])
    best = max(range(epochs), key=history["val_dice"].__getitem__) if "val_dice" in history else epochs - 1
    page = render(
        "report.html.jinja",
        run=run.name,
        phantoms=record.data.phantoms,
        model=record.config["model"],
        layout=record.data.layout,
        root=record.data.root,
        split=record.data.split.to_dict(),
        epochs=epochs,
        minutes=sum(history["seconds"]) / 60,
        machine=record.machine,
        best_epoch=best + 1,
        outline=evaluation["outline"] and evaluation["outline"]["mean"],
        distances=distance_rows(evaluation),
        tissues=list(evaluation["mean"]),
        rows=dice_rows(evaluation, record.config["model"]),
        pictures={name: data_url(run / "figures" / f"{name}.png") for name in ("curves", "health", "samples")},
        cases={name: data_url(run / "figures" / f"subject-{name}.png") for name in evaluation["subjects"]},
        config=(run / CONFIG).read_text(encoding="utf-8").rstrip(),
    )
    write_text(run / "report.html", page)


def render(template: str, package: str = "tf_msgan.evaluation", **values: Any) -> str:
    """Fills in one of the templates that lie in a package."""
    text = importlib.resources.files(package).joinpath(template).read_text("utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text).render(**values)


def data_url(path: Path) -> str:
    """Returns a PNG file as the source of an `<img>`."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
