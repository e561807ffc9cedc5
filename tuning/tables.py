"""A comparison as Markdown tables."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuning.cells import ABLATIONS
from tuning.outcomes import Outcome
from tuning.statistics import (
    METRICS,
    Difference,
    Groups,
    gap_closed,
    paired,
    same_seeds,
    seed_of,
    summary,
    trained_by_shots,
)
from tuning.step_seconds import TimedModels

# Of their abstract, and of their text the minutes; their tables were not at hand.
PAPER = (
    "Khaled & Han state a Dice of up to 0.05 more than one-stage models, and 22.6 minutes for multi-stage against "
    "36.5 for U-Net (a ratio of 0.62)."
)

PAIRED = (
    "The mean over subjects, in how many of them it is above 0, and p of Wilcoxon's signed-rank test over them; a "
    "subject counts once, with its mean over the seeds."
)

# In Dice: seeds of one model differ by a third of it, so a share of less says nothing.
LEAST_GAP = 0.005

# Outcomes of a table's rows by the name of the row, one a seed.
Rows = Mapping[str, list[Outcome]]
# By (model, labelled).
Trained = Mapping[tuple[str, int], list[Outcome]]


def format_tables(groups: Groups, tissues: Sequence[str], labeled: int, step_seconds: TimedModels) -> str:
    """Returns all tables of a comparison.

    Args:
        groups: outcomes by (model, labelled, without), one a seed.
        tissues: names.
        labeled: how many labelled subjects the main comparison has.
        step_seconds: as of `outcomes.read_step_seconds`.
    """
    every = {model: found for (model, shots, without), found in groups.items() if shots == labeled and not without}
    main, trained = same_seeds(every), trained_by_shots(groups)
    ablated = same_seeds({key[2]: found for key, found in groups.items() if key[:2] == ("multi-stage", labeled)})
    parts = [_metric_table(main, tissues, metric, title) for metric, title in METRICS.items() if main]
    parts += [PAPER, _time_table(every, step_seconds)]
    if len(main) > 1:
        parts.append(_difference_table(main, tissues))
    if len({shots for _, shots in trained}) > 1:
        parts += [_shot_table(trained, tissues), _gap_table(trained, tissues)]
    if len(ablated) > 1:
        parts.append(_ablation_table(ablated, tissues))
    return "\n\n".join(part for part in parts if part) + "\n"


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in lines)


def change(of: Difference) -> str:
    """Returns a difference as text."""
    p = "< 0.001" if of.p < 0.001 else f"{of.p:.3f}"
    return f"{of.mean:+.4f} ({of.above} of {of.subjects}; p {p})"


def _titled(
    title: str,
    groups: Mapping[Any, list[Outcome]],
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
) -> str:
    """Returns a table under its title, with the seeds that its rows are of."""
    found = {seed_of(outcome) for outcomes in groups.values() for outcome in outcomes}
    seeds = sorted(seed for seed in found if seed is not None)
    return f"### {title} (seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})\n\n{table(header, rows)}"


def _metric_table(main: Rows, tissues: Sequence[str], metric: str, title: str) -> str:
    digits = 3 if metric == "dice" else 2
    columns = [*tissues, "mean"]
    averages = {
        model: {column: summary(outcomes, column, metric) for column in columns} for model, outcomes in main.items()
    }
    pick = max if metric == "dice" else min
    best = {column: pick(of[column][0] for of in averages.values()) for column in columns}
    # A best value that several models share is not made bold.
    shared = {column for column in columns if [of[column][0] for of in averages.values()].count(best[column]) > 1}

    def cell(of: Mapping[str, tuple[float, float]], column: str) -> str:
        mean, sd = of[column]
        text = f"{mean:.{digits}f} ± {sd:.{digits}f}"
        return f"**{text}**" if mean == best[column] and column not in shared else text

    rows = [[model, *(cell(of, column) for column in columns)] for model, of in averages.items()]
    return _titled(title, main, ["model", *columns], rows)


def _time_table(main: Rows, step_seconds: TimedModels) -> str:
    """Returns a row for each machine that a model was trained on."""
    rows = []
    for model, outcomes in main.items():
        seconds = [step_seconds["models"].get(model, {}).get(phase) for phase in ("labels", "game")]
        steps = [outcomes[0].get("steps", "–"), *(f"{s:.2f}" if s else "–" for s in seconds)]
        for machine in dict.fromkeys(outcome["machine"] for outcome in outcomes):
            there = [outcome for outcome in outcomes if outcome["machine"] == machine]
            minutes = [outcome["training_minutes"] for outcome in there if "training_minutes" in outcome]
            trained = f"{statistics.fmean(minutes):.1f}" if minutes else "–"
            volume = statistics.fmean(outcome["volume_seconds"] for outcome in there)
            rows.append([model, *steps, trained, f"{volume:.1f}", machine])
    header = [
        "model",
        "steps",
        "a step of the supervised phase, seconds",
        "a step of the adversarial phase, seconds",
        "training as it went, minutes",
        "whole volume, seconds",
        "machine of the last two",
    ]
    timed = f"\n\nSteps were timed on {step_seconds['machine']}." if step_seconds["machine"] else ""
    return "### Time\n\n" + table(header, rows) + timed


def _difference_table(main: Rows, tissues: Sequence[str]) -> str:
    *others, last = main
    columns = [*tissues, "mean"]
    rows = []
    for other in others:
        found = [paired(main[last], main[other], column, "dice") for column in columns]
        rows.append([f"{last} − {other}", *map(change, found)])
    return f"{_titled('Paired differences of Dice', main, ['', *columns], rows)}\n\n{PAIRED}"


def _shot_table(groups: Trained, tissues: Sequence[str]) -> str:
    columns = [*tissues, "mean"]
    rows = []
    for model, shots in sorted(groups):
        averages = (summary(groups[model, shots], column, "dice") for column in columns)
        rows.append([model, shots, *(f"{mean:.4f} ± {sd:.4f}" for mean, sd in averages)])
    return _titled("Dice by the number of labelled subjects", groups, ["model", "labelled", *columns], rows)


def _gap_table(groups: Trained, tissues: Sequence[str]) -> str:
    """Says how much of what more labels give U-Net the multi-stage model has without them."""
    known = sorted(shots for model, shots in groups if model == "unet")
    rows = []
    for few in known[:-1]:
        if ("multi-stage", few) not in groups:
            continue
        keys = (("unet", few), ("unet", known[-1]), ("multi-stage", few))
        for tissue in (*tissues, "mean"):
            means = [summary(groups[key], tissue, "dice")[0] for key in keys]
            gap = means[1] - means[0]
            shown = f"{gap_closed(*means):.2f}" if gap >= LEAST_GAP else "–"
            rows.append([few, tissue, *(f"{mean:.4f}" for mean in means), f"{gap:+.4f}", shown])
    if not rows:
        return ""
    header = ["labelled", "tissue", "U-Net", f"U-Net with {known[-1]}", "multi-stage", "gap", "share closed"]
    small = any(row[-1] == "–" for row in rows)
    note = f"\n\n–: a gap below {LEAST_GAP}, a share of which would say nothing." if small else ""
    return _titled("The gap that labels close", groups, header, rows) + note


def _ablation_table(groups: Rows, tissues: Sequence[str]) -> str:
    """Returns a row a model by what it is without; the whole model is under ""."""
    columns = [*tissues, "mean"]
    whole = groups.get("")
    rows = []
    for part in ("", *ABLATIONS):
        outcomes = groups.get(part)
        if not outcomes:
            continue
        averages = [summary(outcomes, column, "dice") for column in columns]
        changed = change(paired(outcomes, whole, "mean", "dice")) if part and whole else "–"
        name = f"without {part}" if part else "multi-stage"
        rows.append([name, *(f"{mean:.4f} ± {sd:.4f}" for mean, sd in averages), changed])
    return _titled("Ablation, Dice after equal steps", groups, ["", *columns, "change of the mean"], rows)
