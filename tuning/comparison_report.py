"""The report of a comparison: `README.md`, `results.json` and pictures in its folder."""

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from tf_msgan.datasets.cases import LACKING
from tf_msgan.datasets.cohort import read_labels
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import VISIBLE, write_json, write_text
from tf_msgan.io.images import read_images, reference_of
from tf_msgan.io.read_volumes import read_codes
from tf_msgan.runs.model_file import MODEL
from tuning.cells import Cell
from tuning.launch import complaint
from tuning.outcomes import Comparison, read_outcome, read_step_seconds
from tuning.pictures import draw_models, draw_shots
from tuning.references import reference_outcomes
from tuning.say_provenance import say_provenance
from tuning.statistics import METRICS, Groups, summary, trained_by_shots
from tuning.tables import format_tables

# The picture of Dice by the number of labelled subjects.
SHOTS = "shots.png"
# The picture of what the models draw.
MODELS = "models.png"


def write_report(comparison: Comparison, cells: Sequence[Cell], labeled: int, phantoms: bool, command: str) -> str:
    """Writes what the cells that are done show, and the command that asked for them. Returns it as text."""
    done = {cell: outcome for cell in cells if (outcome := read_outcome(comparison, cell))}
    if not done:
        return "nothing is done yet"
    # In the order of the plan, whichever was done first.
    groups: Groups = {(cell.model, cell.labeled, cell.without): [] for cell in cells}
    for cell, outcome in done.items():
        groups[cell.model, cell.labeled, cell.without].append(outcome)
    groups = {key: outcomes for key, outcomes in groups.items() if outcomes}
    groups = {**reference_outcomes(comparison, labeled), **groups}
    tissues = comparison.cohort.labels.tissues
    tables = format_tables(groups, tissues, labeled, read_step_seconds(comparison))
    models = len({cell.model for cell in cells})
    parts = [
        f"# {models} model{'s' * (models > 1)} on the {comparison.cohort.layout} layout",
        f"{'**Phantoms**, not scans.' if phantoms else '**Real scans.**'} {_provenance(comparison, groups, cells)}",
        f"```\n{command}\n```",
        tables.rstrip(),
    ]
    rows = [
        {
            "model": model,
            "labelled": shots,
            "without": without,
            "seeds": len(outcomes),
            **{
                metric: {tissue: summary(outcomes, tissue, metric) for tissue in (*tissues, "mean")}
                for metric in METRICS
            },
        }
        for (model, shots, without), outcomes in groups.items()
    ]
    results = {**comparison.facts(), "command": command, "phantoms": phantoms, "rows": rows}
    write_json(comparison.folder / "results.json", results)
    write_text(comparison.folder / "README.md", _page(parts))
    # Last, since the pictures take predictions, which may fail.
    pictures = _draw(comparison, done, groups, tissues, labeled)
    parts += [f"![{title}]({name})" for name, title in pictures.items()]
    write_text(comparison.folder / "README.md", _page(parts))
    return f"{tables}\nreport: {comparison.folder / 'README.md'}"


def _page(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _provenance(comparison: Comparison, groups: Groups, cells: Collection[Cell]) -> str:
    roles = "; ".join(f"{role} {', '.join(ids) or 'none'}" for role, ids in comparison.split.roles().items())
    outcomes = [outcome for found in groups.values() for outcome in found if "versions" in outcome]
    seeds = sorted({cell.seed for cell in cells})
    amount = f"{comparison.amount:g} {comparison.budget}"
    return (
        f"Subjects: {roles}. {amount} of training each, preset {comparison.preset}, seeds {seeds}; "
        f"{len(outcomes)} of {len(cells)} trainings are done. Mean ± standard deviation over seeds and test subjects. "
        + say_provenance(outcomes)
    )


def _draw(
    comparison: Comparison, done: Collection[Cell], groups: Groups, tissues: Sequence[str], labeled: int
) -> dict[str, str]:
    """Draws what can be drawn of the cells that are `done`. Returns titles by file name."""
    pictures = {}
    trained = trained_by_shots(groups)
    if len({shots for _, shots in trained}) > 1:
        draw_shots(comparison.folder / SHOTS, trained, tissues)
        pictures[SHOTS] = "Dice by the number of labelled subjects"
    subject = comparison.split.test[0]
    maps = {}
    for cell in done:
        run = comparison.runs / cell.name
        # The runs may be gone.
        if cell.labeled == labeled and cell.seed == 0 and not cell.without and (run / MODEL).is_file():
            maps[cell.model] = _predict(comparison, run, subject)
    if maps:
        volumes = read_images(comparison.cohort.subjects[subject].images)
        reference = reference_of(volumes)
        truth = read_labels(comparison.cohort, subject, volumes)
        draw_models(
            comparison.folder / MODELS,
            image=reference.data,
            truth=truth,
            predictions=maps,
            affine=reference.affine,
            tissues=tissues,
            subject=subject,
        )
    # The runs may be gone, and the picture be kept.
    if (comparison.folder / MODELS).exists():
        pictures[MODELS] = f"What the models draw of test subject {subject}, seed 0"
    return pictures


def _predict(comparison: Comparison, run: Path, subject: str) -> np.ndarray:
    """Returns `(i, j, k)` classes of a subject by the model of a run, on the grid of its files."""
    output = run / "prediction"
    files = [path or LACKING for path in comparison.cohort.subjects[subject].images]
    found = list(output.glob(f"{VISIBLE}*_dseg.nii.gz"))
    if not found:
        options = ("--input", *files, "--output", output, "--no-progress")
        command = [sys.executable, "-m", "tf_msgan.predict", run, *options]
        result = subprocess.run([*map(str, command)], capture_output=True, text=True)
        if result.returncode:
            raise InputError(run, f"no prediction after {complaint(result.stderr)!r}", "one for the picture")
        found = list(output.glob(f"{VISIBLE}*_dseg.nii.gz"))
    return read_codes(found[0]).data.astype(np.uint8)
