"""The plots of `docs/benchmarks.md`, one a benchmark; each takes the figures that it wrote, and a path."""

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks import pipeline, throughput
from tf_msgan.io.atomic_files import atomic_write

OURS, OTHERS = "tab:blue", "tab:grey"


def _save(figure, path):
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110)
    plt.close(figure)


def _bars(axis, values, ours, label, form="{:.3g}"):
    """Draws a bar for each name, its value beside it."""
    names = list(values)[::-1]
    bars = axis.barh(names, [values[n] for n in names], color=[OURS if n in ours else OTHERS for n in names])
    axis.bar_label(bars, fmt=form, padding=3)
    axis.set_xlabel(label)
    axis.margins(x=0.2)


def _write_plainly(logarithmic):
    """Has 0.5, 1, 2, 5 written along an axis, in place of powers of ten."""
    logarithmic.set_major_locator(LogLocator(subs=(1, 2, 5)))
    logarithmic.set_major_formatter("{x:g}")
    logarithmic.set_minor_formatter(NullFormatter())


def draw_throughput(figures, path):
    sizes = list(dict.fromkeys((row["patch"], row["batch"]) for row in figures["rows"]))
    figure, axes = plt.subplots(2, 2, figsize=(12, 6), layout="constrained")
    for axis, (patch, batch) in zip(axes.flat, sizes, strict=True):
        rows = [row for row in figures["rows"] if (row["patch"], row["batch"]) == (patch, batch)]
        values = {row["name"]: row["patches_per_second"] for row in rows}
        _bars(axis, values, throughput.OURS, "patches a second")
        axis.set_title(f"{patch}³ voxels, batches of {batch}")
    _save(figure, path)


def draw_pipeline(figures, path):
    figure, axis = plt.subplots(figsize=(8, 2.4), layout="constrained")
    values = {name: row["patches_per_second"] for name, row in figures["figures"].items()}
    _bars(axis, values, pipeline.OURS, "patches a second")
    _save(figure, path)


def draw_whole_volume(figures, path):
    figure, axis = plt.subplots(figsize=(8, 2.8), layout="constrained")
    values = {name: row["seconds"] for name, row in figures["figures"].items()}
    _bars(axis, values, ["multi-stage"], "seconds a volume")
    _save(figure, path)


def draw_limit(figures, path):
    precisions = figures["precisions"]
    figure, axes = plt.subplots(1, len(precisions), figsize=(6 * len(precisions), 3.6), layout="constrained")
    for axis, (precision, measured) in zip([axes] if len(precisions) == 1 else axes, precisions.items(), strict=True):
        values = {f"{row['what']} {row['name']}": row["share"] for row in measured["rows"]}
        _bars(axis, values, values, "share of the matrix product's rate")
        axis.set_title(precision)
    _save(figure, path)


def draw_growth_training(figures, path):
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    rows = figures["rows"]
    usual_batch, usual_patch = min(row["batch"] for row in rows), 32
    along_patch = [row for row in rows if row["batch"] == usual_batch]
    along_batch = [row for row in rows if row["patch"] == usual_patch]
    sizes = [row["patch"] ** 3 for row in along_patch], [row["patches"] for row in along_batch]
    for axis, each, size, label in zip(
        axes, (along_patch, along_batch), sizes, ("voxels of a patch", "patches of 32³ a step"), strict=True
    ):
        axis.loglog(size, [row["seconds"] for row in each], "o-", label="seconds a step")
        axis.loglog(size, [row["peak_gib"] for row in each], "s--", color=OTHERS, label="GiB at the peak")
        axis.set_xlabel(label)
        axis.set_xticks(size, [f"{n:,}" for n in size])
        axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        _write_plainly(axis.yaxis)
        axis.grid(alpha=0.3)
        axis.legend()
    _save(figure, path)


def draw_growth_volume(figures, path):
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    boxes, brains = ([row for row in figures["rows"] if row["what"] == what] for what in ("box", "brain"))
    axes[0].plot([row["times"] for row in boxes], [row["seconds"] for row in boxes], "o-")
    longest = max(row["seconds"] for row in boxes)
    axes[0].set(xlabel="volume of the box, times that of the brain's", ylabel="seconds", ylim=(0, 1.1 * longest))
    axes[1].loglog([row["voxels"] / 1e6 for row in brains], [row["seconds"] for row in brains], "o-")
    axes[1].set(xlabel="voxels of the brain, millions", ylabel="seconds")
    _write_plainly(axes[1].xaxis)
    _write_plainly(axes[1].yaxis)
    for axis in axes:
        axis.grid(alpha=0.3)
    _save(figure, path)


def draw_growth_cohort(figures, path):
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for source, style in (("memory", "o-"), ("shards", "s--")):
        rows = [row for row in figures["rows"] if row["source"] == source]
        for axis, key in zip(axes, ("patches_per_second", "own_gib"), strict=True):
            axis.plot([row["subjects"] for row in rows], [row[key] for row in rows], style, label=f"from {source}")
    for axis, label in zip(axes, ("patches a second", "GiB that no file backs"), strict=True):
        axis.set(xlabel="subjects", ylabel=label, ylim=(0, None))
        axis.grid(alpha=0.3)
        axis.legend()
    _save(figure, path)


def draw_accuracy(figures, path):
    rows = figures["rows"]
    tissues = list(next(iter(rows.values()))["mean"])
    figure, axes = plt.subplots(1, len(tissues), figsize=(5 * len(tissues), 3), layout="constrained")
    for axis, tissue in zip(axes, tissues, strict=True):
        values = {name: row["mean"][tissue]["dice"] for name, row in rows.items()}
        _bars(axis, values, ["multi-stage", "unet"], f"Dice of {tissue}", "{:.3f}")
    _save(figure, path)
