"""Pictures of a run.

Figures are matplotlib's own, made without pyplot, so that no backend of the caller's is changed.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tf_msgan.evaluation.metrics import Scores
from tf_msgan.io.atomic_files import atomic_write
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.reserved_values import IGNORE

# Of tissues, one after the other.
COLOURS = ("#3b7dd8", "#e8a33d", "#f5f1e6", *map(to_hex, matplotlib.colormaps["tab20"](np.arange(4, 20))))
# Of the background and the tissues 1, 2, …, up to as many as there may be: more than nineteen share them.
TISSUE_COLOURS = ("#000000", *itertools.islice(itertools.cycle(COLOURS), IGNORE - 1))
# The third's own colour would be lost on a bright image.
CONTOUR_COLOURS = (*TISSUE_COLOURS[:3], "#3fd07a", *TISSUE_COLOURS[4:])
# Of voxels that do not count.
IGNORED_COLOUR = "#4a4a4a"
# Of voxels that are wrong.
ERROR_COLOUR = "#e0245e"
# Cuts a plane `(row, column)` out of a canonical volume `(i, j, k)`.
Cut = Callable[[np.ndarray], np.ndarray]


def draw_case(
    path: Path,
    subject: str,
    reference: Volume,
    modality: str,
    truth: np.ndarray,
    prediction: np.ndarray,
    tissues: Sequence[str],
    scores: Scores,
) -> None:
    """Draws three planes of a test subject: a modality, truth, prediction, and the errors over the modality.

    Planes are in RAS order: left is left, front and top are up. They go through the middle of the brain, but for the
    sagittal one, which would show the cleft between the hemispheres.

    Args:
        reference: the reference image, of `modality`.
        truth, prediction: `(i, j, k)` classes on its grid.
        tissues: names of the classes 1, 2, ….
        scores: with "dice" of every tissue.
    """
    affine = reference.affine
    image, truth, prediction = (canonical(volume, affine) for volume in (reference.data, truth, prediction))
    wrong = (truth != prediction) & (truth != IGNORE)
    planes = Planes(image != 0, truth > 0, affine)
    grey_of = planes.grey(image)

    figure, axes = panels(3, 4, figsize=(11, 8.4), facecolor="black")
    for row, (name, cut, aspect) in enumerate(planes):
        grey = cut(grey_of)
        error = np.stack([grey] * 3, axis=-1)
        error[cut(wrong)] = to_rgb(ERROR_COLOUR)
        show_grey(axes[row, 0], grey, aspect)
        show_classes(axes[row, 1], cut(truth), len(tissues), aspect)
        show_classes(axes[row, 2], cut(prediction), len(tissues), aspect)
        show_grey(axes[row, 3], error, aspect)
        _draw_contours(axes[row, 0], cut(prediction), tissues)
        axes[row, 0].text(0.02, 0.02, name, color="white", transform=axes[row, 0].transAxes)
    for axis, title in zip(axes[0], (f"{plain(modality)}, predicted", "truth", "prediction", "errors"), strict=True):
        axis.set_title(title, color="white")
    handles = [Patch(color=TISSUE_COLOURS[n], label=plain(name)) for n, name in enumerate(tissues, start=1)]
    handles.append(Patch(color=ERROR_COLOUR, label="wrong"))
    if np.any(truth == IGNORE):
        handles.append(Patch(color=IGNORED_COLOUR, label="not counted"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), labelcolor="white", frameon=False)
    dice = "   ".join(f"{plain(name)} {scores[name]['dice']:.3f}" for name in tissues)
    figure.suptitle(f"subject {plain(subject)}   Dice  {dice}", color="white")
    save(figure, path)


def draw_prediction(
    path: Path,
    image: np.ndarray,
    labels: np.ndarray,
    affine: np.ndarray,
    tissues: Sequence[str],
    title: str,
    dpi: int,
) -> None:
    """Draws three planes of a scan, as `draw_case` lays them, with the contours of its tissues.

    `image` `(i, j, k)` raw intensities, 0 where nothing is; `labels` `(i, j, k)` classes.
    """
    image, labels = canonical(image, affine), canonical(labels, affine)
    planes = Planes(image != 0, labels > 0, affine)
    grey = planes.grey(image)
    figure, axes = panels(1, 3, figsize=(9, 3.6), facecolor="black")
    for axis, (name, cut, aspect) in zip(axes, planes, strict=True):
        show_grey(axis, cut(grey), aspect)
        _draw_contours(axis, cut(labels), tissues)
        axis.text(0.02, 0.02, name, color="white", transform=axis.transAxes)
    handles = [Patch(color=CONTOUR_COLOURS[n], label=plain(name)) for n, name in enumerate(tissues, start=1)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), labelcolor="white", frameon=False)
    figure.suptitle(plain(title), color="white")
    save(figure, path, dpi)


def panels(rows: int, columns: int, sharey: bool = False, squeeze: bool = True, **figure: Any) -> tuple[Figure, Any]:
    """Returns a figure and its axes, as `pyplot.subplots` does; `figure` are matplotlib's options of one."""
    made = Figure(layout="constrained", **figure)
    return made, made.subplots(rows, columns, sharey=sharey, squeeze=squeeze)


def plain(name: str) -> str:
    """Returns a name as matplotlib must be given it: what stands between two `$` would be a formula."""
    return name.replace("$", r"\$")


class Planes:
    """The axial, coronal and sagittal plane of a scan in the box of its `mask`, through the `brain` if there is any;
    both are canonical `(i, j, k)` bool, and `affine` is the file's own.

    Iterates over name, a function that cuts the plane out of a canonical volume, and the aspect of its pixels.
    """

    def __init__(self, mask: np.ndarray, brain: np.ndarray, affine: np.ndarray) -> None:
        self.mask = mask
        self.spacing = nib.affines.voxel_sizes(affine)[np.argsort(nib.io_orientation(affine)[:, 0])]
        self.box = _box(mask)
        self.through = _box(brain if brain.any() else mask)

    def grey(self, image: np.ndarray) -> np.ndarray:
        """Returns a canonical image in 0..1, cut at the first and the 99th percentile of the mask, and 0 outside."""
        low, high = np.percentile(image[self.mask], [1, 99])
        return np.where(self.mask, np.clip((image - low) / max(high - low, 1e-6), 0, 1), 0)

    def __iter__(self) -> Iterator[tuple[str, Cut, float]]:
        for plane, name, share in ((2, "axial", 0.5), (1, "coronal", 0.5), (0, "sagittal", 0.38)):
            others = [axis for axis in range(3) if axis != plane]
            window = tuple(slice(self.box[axis][0], self.box[axis][-1] + 1) for axis in others)
            at = int(self.through[plane][int(len(self.through[plane]) * share)])

            def cut(
                volume: np.ndarray, plane: int = plane, window: tuple[slice, ...] = window, at: int = at
            ) -> np.ndarray:
                return volume.take(at, axis=plane)[window].T

            yield name, cut, self.spacing[others[1]] / self.spacing[others[0]]


def show_grey(axis: Axes, plane: np.ndarray, aspect: float) -> None:
    """Shows a plane `(row, column)` in 0..1, or one of colours `(row, column, 3)`."""
    axis.imshow(plane, cmap="gray", vmin=0, vmax=1, origin="lower", aspect=aspect, interpolation="nearest")
    axis.axis("off")


def show_classes(axis: Axes, plane: np.ndarray, tissues: int, aspect: float) -> None:
    """Shows a plane `(row, column)` of the classes 0…`tissues` and `IGNORE`."""
    ignored = tissues + 1
    colours = ListedColormap([*TISSUE_COLOURS[:ignored], IGNORED_COLOUR])
    shown = np.where(plane == IGNORE, ignored, plane)
    limits: dict[str, Any] = {"vmin": -0.5, "vmax": ignored + 0.5}
    axis.imshow(shown, cmap=colours, origin="lower", aspect=aspect, interpolation="nearest", **limits)
    axis.axis("off")


def _box(inside: np.ndarray) -> list[np.ndarray]:
    """Returns the indices along each axis at which there is anything."""
    return [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]


def _draw_contours(axis: Axes, labels: np.ndarray, tissues: Sequence[str]) -> None:
    if min(labels.shape) < 2:
        # A line has none.
        return
    for number in range(1, len(tissues) + 1):
        contour = labels == number
        if contour.any() and not contour.all():
            axis.contour(contour, [0.5], colors=CONTOUR_COLOURS[number], linewidths=0.8)


def draw_curves(path: Path, history: dict[str, list[float]], tissues: Sequence[str]) -> None:
    """Draws Dice of training patches and of the validation subjects, D's terms and all losses, by epoch."""
    epochs = np.arange(1, len(history["epoch"]) + 1)
    figure, axes = panels(1, 3, figsize=(12, 3.6))
    axes[0].plot(epochs, history["dice"], color="0.6", label="training patches")
    for number, name in enumerate(tissues, start=1):
        colour = "0.2" if number == 3 else TISSUE_COLOURS[number]
        if "val_dice" in history:
            axes[0].plot(epochs, history[f"val_dice_{name}"], color=colour, label=f"validation {plain(name)}")
    axes[0].set(title="Dice", ylim=(0, 1))
    for name in (name for name in history if name.startswith("d_") and name != "d_loss"):
        axes[1].plot(epochs, history[name], label=name[2:])
    axes[1].set(title="terms of the discriminator")
    for name in (name for name in history if name.endswith("_loss") and not name.startswith("val_")):
        axes[2].plot(epochs, history[name], label=name.removesuffix("_loss"))
    axes[2].set(title="losses")
    _save_curves(figure, axes, path)


def draw_health(path: Path, history: dict[str, list[float]]) -> None:
    """Draws how the adversarial phase goes, by epoch, as far as there is one: P(real) by D, how far variants lie apart,
    the norms of the gradients, and the learning rate."""
    epochs = np.arange(1, len(history["epoch"]) + 1)
    figure, axes = panels(1, 4, figsize=(15, 3.6))
    for name in (name for name in history if name.startswith("real_")):
        axes[0].plot(epochs, history[name], label=name.removeprefix("real_"))
    axes[0].set(title="P(real), by D", ylim=(0, 1))
    if "variants_apart" in history:
        axes[1].plot(epochs, history["variants_apart"], label="mean |x̃₁ − x̃₂|")
    axes[1].set(title="variants, SD of the brain", ylim=(0, None))
    for name in (name for name in history if name.endswith("_gradient")):
        axes[2].plot(epochs, history[name], label=name.removesuffix("_gradient"))
    axes[2].set(title="gradient norms", yscale="log")
    axes[3].plot(epochs, history["lr"], label="at the end of the epoch")
    axes[3].set(title="learning rate", ylim=(0, None))
    _save_curves(figure, axes, path)


def draw_samples(path: Path, samples: dict[int, dict[str, np.ndarray]], tissues: Sequence[str]) -> None:
    """Draws one row an epoch: slices of an unlabelled scan and of what the networks make of it. `samples` is as
    `tf_msgan.training.samples` wrote them, by epoch from 1."""
    colours = ListedColormap(TISSUE_COLOURS[: len(tissues) + 1])
    columns = list(next(iter(samples.values())))
    size = (2 * len(columns) + 0.5, 2.1 * len(samples) + 0.5)
    figure, axes = panels(len(samples), len(columns), squeeze=False, figsize=size)
    for row, (epoch, slices) in zip(axes, samples.items(), strict=True):
        for axis, name in zip(row, columns, strict=True):
            picture = slices[name]
            options: dict[str, Any] = {
                "cmap": "gray",
                "vmin": 0 if name == "coarse" else -4,
                "vmax": 1 if name == "coarse" else 4,
            }
            if picture.ndim == 3:
                picture = np.argmax(picture, axis=-1)
                options = {"cmap": colours, "vmin": -0.5, "vmax": len(tissues) + 0.5}
            axis.imshow(picture.T, origin="lower", interpolation="nearest", **options)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"epoch {epoch}")
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name.replace("_", " "))
    save(figure, path)


def canonical(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Returns a volume `(i, j, k, …)` with its axes in RAS order."""
    return nib.orientations.apply_orientation(volume, nib.io_orientation(affine))


def _save_curves(figure: Figure, axes: np.ndarray, path: Path) -> None:
    # The curves of the adversarial phase begin later than the others.
    last = max(line.get_xdata()[-1] for axis in axes for line in axis.lines)
    for axis in axes:
        for line in axis.lines:
            # One epoch alone has no line to draw.
            line.set_marker(".")
        axis.set(xlabel="epoch", xlim=(0.5, last + 0.5))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize="small")
    save(figure, path)


def save(figure: Figure, path: Path, dpi: int = 90) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=dpi, facecolor=figure.get_facecolor())
