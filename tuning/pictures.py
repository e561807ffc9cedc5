"""Pictures of a comparison: Dice against the number of labelled subjects, and what the models draw of one subject."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tf_msgan.evaluation.figures import Planes, canonical, panels, plain, save, show_classes, show_grey
from tuning.outcomes import Outcome
from tuning.statistics import summary


def draw_shots(path: Path, groups: Mapping[tuple[str, int], list[Outcome]], tissues: Sequence[str]) -> None:
    """Draws mean Dice and its standard deviation against the number of labelled subjects, a panel a tissue.

    `groups` are outcomes by (model, labelled).
    """
    columns = [*tissues, "mean"]
    models = dict.fromkeys(model for model, _ in groups)
    figure, axes = panels(1, len(columns), figsize=(3.2 * len(columns), 3.4))
    for axis, column in zip(axes, columns, strict=True):
        for model in models:
            shots = sorted(s for m, s in groups if m == model)
            found = [summary(groups[model, s], column, "dice") for s in shots]
            means, deviations = zip(*found, strict=True)
            axis.errorbar(shots, means, deviations, marker="o", capsize=3, label=model)
        axis.set(title=plain(column), xlabel="labelled subjects", xscale="log")
        axis.set_xticks(sorted({s for _, s in groups}), [str(s) for s in sorted({s for _, s in groups})])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("Dice")
    axes[0].legend(fontsize="small")
    save(figure, path)


def draw_models(
    path: Path,
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    affine: np.ndarray,
    tissues: Sequence[str],
    subject: str,
) -> None:
    """Draws an axial and a coronal plane of a subject: the scan, the truth, and each model's label map, as in the
    paper's Fig. 7.

    Args:
        image, truth: `(i, j, k)` intensities and classes.
        predictions: `(i, j, k)` classes by model.
        affine: of all.
    """
    image, *maps = (canonical(volume, affine) for volume in (image, truth, *predictions.values()))
    planes = Planes(image != 0, maps[0] > 0, affine)
    grey, titles = planes.grey(image), ("scan", "truth", *predictions)
    figure, axes = panels(2, len(titles), figsize=(2.2 * len(titles), 4.8), facecolor="black")
    for row, (_, cut, aspect) in zip(axes, planes, strict=False):
        show_grey(row[0], cut(grey), aspect)
        for axis, classes in zip(row[1:], maps, strict=True):
            show_classes(axis, cut(classes), len(tissues), aspect)
    for axis, name in zip(axes[0], titles, strict=True):
        axis.set_title(name, color="white", fontsize="small")
    figure.suptitle(f"subject {plain(subject)}", color="white")
    save(figure, path)
