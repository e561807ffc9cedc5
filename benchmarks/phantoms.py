"""Measures the infant phantoms against iSEG-2017's figures, and draws a montage of four.

python -m benchmarks.phantoms [--spacing 1] [--subjects 23] [--montage docs/phantoms.png]
"""

import argparse
import resource
import time

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from benchmarks.provenance import provenance
from tf_msgan.data.phantoms import CSF, GM, WM, Phantom, load_template, make_infant


def shares(phantom: Phantom) -> list[float]:
    """In-brain shares of CSF, GM and WM."""
    brain = phantom.labels > 0
    return [float(np.mean(phantom.labels[brain] == tissue)) for tissue in (CSF, GM, WM)]


def overlap(image: np.ndarray, labels: np.ndarray) -> float:
    """Sum over 100 bins of the smaller of the normalised GM and WM histograms of the image, z-scored in the brain."""
    inside = image[labels > 0].astype(float)
    scored = (image - inside.mean()) / inside.std()
    bins = np.linspace(-5, 5, 101)
    gm, wm = (np.histogram(scored[labels == tissue], bins)[0] / np.sum(labels == tissue) for tissue in (GM, WM))
    return float(np.minimum(gm, wm).sum())


def draw_montage(phantoms: list[Phantom], path):
    """An axial, a coronal and a sagittal plane of T1, T2 and labels, a row a subject."""
    figure, axes = plt.subplots(len(phantoms), 9, figsize=(18, 2.3 * len(phantoms)), facecolor="black")
    for row, phantom in zip(axes, phantoms, strict=True):
        inside = [np.flatnonzero((phantom.labels > 0).any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(voxels[0], voxels[-1] + 1) for voxels in inside)
        volumes = [(phantom.t1, "gray"), (phantom.t2, "gray"), (phantom.labels, "viridis")]
        for column, (volume, colours) in enumerate(volumes):
            for plane, axis in enumerate((2, 1, 0)):
                cropped = volume[box]
                # Off the midline, where a sagittal plane would show the cleft between the hemispheres.
                at = int(cropped.shape[axis] * (0.36 if axis == 0 else 0.55))
                cell = row[3 * column + plane]
                cell.imshow(cropped.take(at, axis=axis).T, origin="lower", cmap=colours)
                cell.axis("off")
    figure.subplots_adjust(0, 0, 1, 1, 0.02, 0.02)
    figure.savefig(path, dpi=60, facecolor="black")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spacing", type=int, choices=[1, 2], default=1)
    parser.add_argument("--subjects", type=int, default=23)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--montage", metavar="FILE.png")
    options = parser.parse_args()

    print(provenance())
    print(f"infant phantoms, {options.spacing} mm, seed {options.seed}")
    print(f"{'subject':>7} {'s':>5} {'mL':>6} {'CSF':>6} {'GM':>6} {'WM':>6} {'T1':>6} {'T2':>6}")
    load_template()
    rows, drawn = [], []
    for number in range(1, options.subjects + 1):
        start = time.perf_counter()
        phantom = make_infant(number, options.spacing, options.seed)
        seconds = time.perf_counter() - start
        volume = np.sum(phantom.labels > 0) * options.spacing**3 / 1000
        figures = [*shares(phantom), overlap(phantom.t1, phantom.labels), overlap(phantom.t2, phantom.labels)]
        rows.append([seconds, volume, *figures])
        drawn += [phantom] * (len(drawn) < 4)
        print(f"{number:>7} {seconds:5.1f} {volume:6.0f} " + " ".join(f"{value:6.3f}" for value in figures), flush=True)
    mean = np.mean(rows, axis=0)
    print(f"{'mean':>7} {mean[0]:5.1f} {mean[1]:6.0f} " + " ".join(f"{value:6.3f}" for value in mean[2:]))
    print(f"iSEG-2017{'':>11} {0.22:6.3f} {0.47:6.3f} {0.31:6.3f} {0.70:6.3f} {0.90:6.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    if options.montage:
        draw_montage(drawn, options.montage)


if __name__ == "__main__":
    main()
