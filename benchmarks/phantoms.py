"""Measures phantoms against the figures of the challenge that they stand for, and draws a montage of four.

python -m benchmarks.phantoms [--preset infant] [--spacing 1] [--subjects 23] [--montage docs/phantoms.png]
python -m benchmarks.phantoms --preset adult [--spacing 1] [--subjects 20] [--montage docs/phantoms-adult.png]
"""

import argparse
import time

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from benchmarks.provenance import provenance
from benchmarks.resident import peak_gib
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.phantoms.adult import TESTING_CODES, AdultPhantom, adult_spacings, make_adult
from tf_msgan.phantoms.infant import InfantPhantom, make_infant
from tf_msgan.phantoms.phantom_cohort import SUBJECTS
from tf_msgan.phantoms.template import load_template, load_whole_template
from tf_msgan.phantoms.tissue import CSF, GM, WM


def shares(tissues: np.ndarray) -> list[float]:
    """Returns the shares of CSF, GM and WM in a map of their codes."""
    brain = tissues > 0
    return [float(np.mean(tissues[brain] == tissue)) for tissue in (CSF, GM, WM)]


def overlap(image: np.ndarray, labels: np.ndarray) -> float:
    """Returns the sum over 100 bins of the smaller of the normalised GM and WM histograms of the image, z-scored in the
    brain."""
    inside = image[labels > 0].astype(float)
    scored = (image - inside.mean()) / inside.std()
    bins = np.linspace(-5, 5, 101)
    gm, wm = (np.histogram(scored[labels == tissue], bins)[0] / np.sum(labels == tissue) for tissue in (GM, WM))
    return float(np.minimum(gm, wm).sum())


def draw_infant_montage(phantoms: list[InfantPhantom], path):
    """Draws an axial, a coronal and a sagittal plane of T1, T2 and labels, a row a subject."""
    figure, axes = _black_figure(rows=len(phantoms), columns=9, width=2, height=2.3)
    for row, phantom in zip(axes, phantoms, strict=True):
        inside = [np.flatnonzero((phantom.labels > 0).any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(voxels[0], voxels[-1] + 1) for voxels in inside)
        volumes = [(phantom.t1, "gray"), (phantom.t2, "gray"), (phantom.labels, "viridis")]
        for column, (volume, colours) in enumerate(volumes):
            for plane, axis in enumerate((2, 1, 0)):
                cropped = volume[box]
                # Off the midline, where a sagittal plane would show the cleft between the hemispheres.
                at = int(cropped.shape[axis] * (0.36 if axis == 0 else 0.55))
                row[3 * column + plane].imshow(cropped.take(at, axis=axis).T, origin="lower", cmap=colours)
    figure.savefig(path, dpi=60, facecolor="black")


def draw_adult_montage(phantoms: list[AdultPhantom], spacings, path):
    """Draws T1, T1-IR, FLAIR and labels; rows are two axial planes, a coronal and a sagittal; two subjects side by
    side."""
    planes = [(2, 0.5), (2, 0.22), (1, 0.45), (0, 0.45)]
    blocks = -(-len(phantoms) // 2)
    figure, axes = _black_figure(rows=len(planes) * blocks, columns=8, width=1.8, height=1.65)
    for subject, phantom in enumerate(phantoms):
        block, side = divmod(subject, 2)
        for column, volume in enumerate((phantom.t1, phantom.t1_ir, phantom.flair, phantom.labels)):
            look = {"cmap": "nipy_spectral", "vmax": 9} if volume is phantom.labels else {"cmap": "gray", "vmax": 850}
            for row, (axis, part) in enumerate(planes):
                plane = volume.take(int(volume.shape[axis] * part), axis=axis).T
                across, up = np.delete(spacings, axis)
                cell = axes[len(planes) * block + row, 4 * side + column]
                cell.imshow(plane, origin="lower", vmin=0, aspect=up / across, **look)
    figure.savefig(path, dpi=80, facecolor="black")


def _black_figure(rows, columns, width, height):
    """Returns a figure and its cells, each of `width` × `height` inches."""
    figure, axes = plt.subplots(rows, columns, figsize=(columns * width, rows * height), facecolor="black")
    for cell in axes.flat:
        cell.axis("off")
    figure.subplots_adjust(left=0, bottom=0, right=1, top=1, wspace=0.02, hspace=0.02)
    return figure, axes


@exit_on_input_error
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=list(SUBJECTS), default="infant")
    parser.add_argument("--spacing", type=int, choices=[1, 2], default=1)
    parser.add_argument("--subjects", type=int, help="default: 23 infants, 20 adults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--montage", metavar="FILE.png")
    options = parser.parse_args(argv)
    adult = options.preset == "adult"
    modalities = ("t1", "t1_ir", "flair") if adult else ("t1", "t2")
    spacings = adult_spacings(options.spacing)[0] if adult else np.full(3, options.spacing)

    print(provenance())
    print(f"{options.preset} phantoms, {'×'.join(f'{s:g}' for s in spacings)} mm, seed {options.seed}")
    columns = ("CSF", "GM", "WM", *modalities)
    print(f"{'subject':>7} {'s':>5} {'mL':>6} " + " ".join(f"{name:>6}" for name in columns))
    load_whole_template() if adult else load_template()
    rows, drawn = [], []
    for number in range(1, (options.subjects or SUBJECTS[options.preset]) + 1):
        start = time.perf_counter()
        phantom = (make_adult if adult else make_infant)(number, spacing=options.spacing, seed=options.seed)
        seconds = time.perf_counter() - start
        tissues = TESTING_CODES[phantom.labels] if adult else phantom.labels
        volume = np.sum(tissues > 0) * np.prod(spacings) / 1000
        overlaps = [overlap(getattr(phantom, name), tissues) for name in modalities]
        rows.append([seconds, volume, *shares(tissues), *overlaps])
        drawn += [phantom] * (len(drawn) < 4)
        figures = " ".join(f"{value:6.3f}" for value in rows[-1][2:])
        print(f"{number:>7} {seconds:5.1f} {volume:6.0f} {figures}", flush=True)
    mean = np.mean(rows, axis=0)
    print(f"{'mean':>7} {mean[0]:5.1f} {mean[1]:6.0f} " + " ".join(f"{value:6.3f}" for value in mean[2:]))
    if not adult:
        print(f"iSEG-2017{'':>11} {0.22:6.3f} {0.47:6.3f} {0.31:6.3f} {0.70:6.3f} {0.90:6.3f}")
    print(f"peak memory {peak_gib():.2f} GiB")
    if options.montage and adult:
        draw_adult_montage(drawn, spacings, options.montage)
    elif options.montage:
        draw_infant_montage(drawn, options.montage)


if __name__ == "__main__":
    main()
