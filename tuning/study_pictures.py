"""Pictures of a study: Dice against a factor's values, and learning curves by trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from tf_msgan.evaluation.figures import panels, plain, save
from tf_msgan.evaluation.metrics import mean_dice, mean_scores


def draw_factor(
    path: Path, factor: str, by_value: Mapping[float, list[dict[str, Any]]], columns: Sequence[str]
) -> None:
    """Draws mean test Dice over the subjects against a factor's values, a panel a tissue, a dot a seed.

    `by_value` are outcomes of each value, one a seed; `columns` are tissues and "mean".
    """
    figure, axes = panels(1, len(columns), sharey=True, figsize=(3.2 * len(columns), 3.4))
    labels = [f"{value:g}" for value in by_value]
    for axis, column in zip(axes, columns, strict=True):
        found = [[_dice(outcome, column) for outcome in outcomes] for outcomes in by_value.values()]
        for at, values in enumerate(found):
            axis.plot([at] * len(values), values, "o", color="C0", alpha=0.5)
        axis.plot(range(len(found)), [np.mean(values) for values in found], color="C0")
        axis.set(title=plain(column), xlabel=factor)
        axis.set_xticks(range(len(labels)), labels)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("test Dice")
    save(figure, path)


def draw_curves(path: Path, curves: Mapping[str, Sequence[float]]) -> None:
    """Draws validation Dice by epoch, one line a trial. `curves` are by name."""
    figure, axis = panels(1, 1, figsize=(9, 4.5))
    colours = matplotlib.colormaps["turbo"](np.linspace(0.05, 0.95, len(curves)))
    for (name, values), colour in zip(curves.items(), colours, strict=True):
        axis.plot(range(1, len(values) + 1), values, color=colour, label=name, linewidth=1)
    axis.set(xlabel="epoch", ylabel="validation Dice")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=6, ncols=2, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def _dice(outcome: dict[str, Any], column: str) -> float:
    scores = mean_scores(outcome["subjects"])
    return mean_dice(scores) if column == "mean" else scores[column]["dice"]
