"""Pictures of a comparison: Dice against the number of labelled subjects, and what the models draw of one subject."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import ListedColormap

from tf_msgan.evaluation.figures import TISSUE_COLOURS, canonical, save
from tuning.statistics import summary


def draw_shots(path, groups: dict, tissues):
    """Mean Dice and its standard deviation against the number of labelled subjects, a panel a tissue.

    `groups` are outcomes by (model, labelled, without).
    """
    columns = [*tissues, "mean"]
    models = dict.fromkeys(model for model, _, without in groups if not without)
    figure, axes = plt.subplots(1, len(columns), figsize=(3.2 * len(columns), 3.4), layout="constrained")
    for axis, column in zip(axes, columns, strict=True):
        for model in models:
            shots = sorted(s for m, s, without in groups if m == model and not without)
            found = [summary(groups[model, s, ""], column, "dice") for s in shots]
            means, deviations = zip(*found, strict=True)
            axis.errorbar(shots, means, deviations, marker="o", capsize=3, label=model)
        axis.set(title=column, xlabel="labelled subjects", xscale="log")
        axis.set_xticks(sorted({s for _, s, _ in groups}), [str(s) for s in sorted({s for _, s, _ in groups})])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("Dice")
    axes[0].legend(fontsize="small")
    save(figure, path)


def draw_models(path, image, truth, predictions: dict, affine, subject: str):
    """The middle axial and coronal plane of a subject: the scan, the truth, and each model's label map, as in the
    paper's Fig. 7.

    Args:
        image, truth: `(i, j, k)` intensities and classes.
        predictions: `(i, j, k)` classes by model.
        affine: of all.
    """
    volumes = [canonical(volume, affine) for volume in (image, truth, *predictions.values())]
    inside = [np.flatnonzero((volumes[0] != 0).any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(at[0], at[-1] + 1) for at in inside)
    volumes = [volume[box] for volume in volumes]
    classes = max(int(volume.max()) for volume in volumes[2:]) + 1
    colours = ListedColormap([*TISSUE_COLOURS[:classes], "#4a4a4a"])
    figure, axes = plt.subplots(
        2, len(volumes), figsize=(2.2 * len(volumes), 4.8), facecolor="black", layout="constrained"
    )
    for column, (name, volume) in enumerate(zip(("scan", "truth", *predictions), volumes, strict=True)):
        for row, axis_of_plane in enumerate((2, 1)):
            plane = volume.take(volume.shape[axis_of_plane] // 2, axis=axis_of_plane).T
            options = {"cmap": "gray"} if name == "scan" else {"cmap": colours, "vmin": -0.5, "vmax": classes + 0.5}
            shown = plane if name == "scan" else np.minimum(plane, classes)
            axes[row, column].imshow(shown, origin="lower", interpolation="nearest", **options)
            axes[row, column].axis("off")
        axes[0, column].set_title(name, color="white", fontsize="small")
    figure.suptitle(f"subject {subject}", color="white")
    save(figure, path)
