"""The report of a study: `report.html`, `results.json`, pictures, and TensorBoard's HParams in its folder."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_msgan.evaluation.metrics import mean_dice, mean_scores
from tf_msgan.evaluation.run_report import data_url, render
from tf_msgan.io.atomic_files import write_json, write_text
from tuning.factors import PAPERS_BEST, Row
from tuning.say_provenance import say_provenance
from tuning.study_pictures import draw_curves, draw_factor
from tuning.trials import OBJECTIVE, Study

TITLES = {"epochs": "Epochs (Table IV)", "lr": "Learning rate (Table V)", "batch_size": "Batch size (Table VI)"}

# What came of trials, by name.
Outcomes = Mapping[str, dict[str, Any]]
# Of each value of a factor, one a seed.
ByValue = dict[float, list[dict[str, Any]]]


def write_report(study: Study, rows: list[Row] | None, phantoms: bool, command: str) -> str:
    """Writes what the trials that are done show, and the command that asked for them. Returns their tables as text."""
    outcomes = {outcome["name"]: outcome for outcome in study.read_outcomes()}
    done = {name: outcome for name, outcome in outcomes.items() if "error" not in outcome}
    failed = {name: outcome["error"] for name, outcome in outcomes.items() if "error" in outcome}
    if not done:
        return f"no trial ended well; {len(failed)} failed\n" + "\n".join(failed.values())
    columns = [*study.cohort.labels.tissues, "mean"]
    pictures = study.folder / "figures"
    if rows is None:
        tables = [search_table(done, columns)]
        shown = {}
    else:
        of_factors = {factor: _by_value(done, rows, factor) for factor in dict.fromkeys(row.factor for row in rows)}
        of_factors = {factor: by_value for factor, by_value in of_factors.items() if by_value}
        tables = [factor_table(factor, by_value, columns) for factor, by_value in of_factors.items()]
        shown = {f"Dice by {factor}": pictures / f"{factor}.png" for factor in of_factors}
        for factor, by_value in of_factors.items():
            draw_factor(pictures / f"{factor}.png", factor, by_value, columns)
    in_order = sorted(done) if rows is None else [row.trial for row in rows if row.begins_trial and row.trial in done]
    draw_curves(pictures / "curves.png", {name: done[name]["curve"] for name in in_order})
    shown["Validation Dice by epoch"] = pictures / "curves.png"
    write_hparams(study.folder / "tensorboard", done, columns)
    facts = study.facts()
    page = render(
        "study.html.jinja",
        package="tuning",
        phantoms=phantoms,
        command=command,
        study=facts,
        training=study.config.training,
        total=sum(row.begins_trial for row in rows) if rows else len(outcomes),
        done=len(done),
        failed=failed,
        tables=tables,
        provenance=say_provenance(list(done.values())),
        pictures={title: data_url(path) for title, path in shown.items()},
    )
    write_text(study.folder / "report.html", page)
    results = {**facts, "command": command, "phantoms": phantoms, "trials": outcomes}
    write_json(study.folder / "results.json", results)
    text = [f"{table['title']}\n" + as_text([table["header"], *table["rows"]]) for table in tables]
    text += [f"failed: {name}: {error}" for name, error in failed.items()]
    return "\n\n".join([*text, f"report: {study.folder / 'report.html'}"])


def test_dice(outcome: dict[str, Any]) -> list[float]:
    """Returns means over the test subjects, by tissue, and their mean."""
    scores = mean_scores(outcome["subjects"])
    return [*(of["dice"] for of in scores.values()), mean_dice(scores)]


def factor_table(factor: str, by_value: ByValue, columns: Sequence[str]) -> dict[str, Any]:
    """Makes a table of the paper's form: a row a value, test Dice by tissue as mean ± standard deviation over seeds.

    Args:
        by_value: outcomes of each value, one a seed.
        columns: tissues and "mean".

    Returns `{"title", "header", "rows", "best"}`; `best` are (row, column) of the highest.
    """
    figures = {
        value: np.array([[*test_dice(outcome), outcome[OBJECTIVE]] for outcome in outcomes])
        for value, outcomes in by_value.items()
    }
    means = np.array([of.mean(axis=0) for of in figures.values()])
    rows = []
    for value, of in figures.items():
        minutes = np.mean([outcome["minutes"] for outcome in by_value[value]])
        name = f"{value:g}{' (their best)' if value == PAPERS_BEST[factor] else ''}"
        rows.append([name, *map(_spread, of.T), len(of), f"{minutes:.1f}"])
    return {
        "title": TITLES[factor],
        "header": [factor, *columns, "validation", "seeds", "minutes"],
        "rows": rows,
        "best": [(int(row), column + 1) for column, row in enumerate(means.argmax(axis=0))],
    }


def search_table(done: Outcomes, columns: Sequence[str]) -> dict[str, Any]:
    """Makes a table with a row a trial of a search, the highest validation Dice first."""
    ranked = sorted(done.values(), key=lambda outcome: -outcome[OBJECTIVE])
    fields = list(dict.fromkeys(field for outcome in ranked for field in outcome["values"]))
    rows = [
        [
            *(outcome["values"].get(field, "–") for field in fields),
            *(f"{value:.4f}" for value in (*test_dice(outcome), outcome[OBJECTIVE])),
            f"{outcome['minutes']:.1f}",
        ]
        for outcome in ranked
    ]
    header = [*(field.partition(".")[2] for field in fields), *columns, "validation", "minutes"]
    return {"title": "Search", "header": header, "rows": rows, "best": [(0, len(fields) + len(columns))]}


def as_text(rows: Iterable[Iterable[object]]) -> str:
    """Returns rows as lines, their columns aligned on the right."""
    cells = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.rjust, row, widths)) for row in cells)


def write_hparams(folder: Path, done: Outcomes, columns: Sequence[str]) -> None:
    """Writes one TensorBoard run a trial: its values, and its Dice, for the page HPARAMS."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    shutil.rmtree(folder, ignore_errors=True)
    for name, outcome in done.items():
        with tf.summary.create_file_writer(str(folder / name)).as_default():
            api.hparams({**outcome["values"], "seed": outcome["seed"]}, trial_id=name)
            for column, value in zip(columns, test_dice(outcome), strict=True):
                tf.summary.scalar(f"test_dice/{column}", value, step=0)
            for epoch, value in enumerate(outcome["curve"], start=1):
                tf.summary.scalar(OBJECTIVE, value, step=epoch)


def _by_value(done: Outcomes, rows: Iterable[Row], factor: str) -> ByValue:
    """Returns outcomes of a factor's values, in the order of its table."""
    by_value: ByValue = {}
    for row in rows:
        if row.factor == factor and row.trial in done:
            by_value.setdefault(row.value, []).append(done[row.trial])
    order = list(dict.fromkeys(row.value for row in rows if row.factor == factor))
    return {value: by_value[value] for value in order if value in by_value}


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values.mean():.3f}"
