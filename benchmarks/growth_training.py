"""How the cost of a training step grows: `python -m benchmarks.growth_training`.

Seconds and peak memory of the multi-stage step, over patches of 16³ to 64³ in batches of four, and over batches of 4 to
30 patches of 32³ (labelled; with one unlabelled to four). A process each; figures are medians of its steps.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.provenance import provenance, without_date
from benchmarks.turns import ask
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.io.atomic_files import write_json

MODEL = "multi-stage"
PATCHES = (16, 32, 48, 64)
BATCHES = (4, 8, 16, 30)
USUAL_PATCH = 32
USUAL_BATCH = 4


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth_training", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--known",
        type=Path,
        metavar="JSON",
        help="figures of benchmarks.throughput; what is there is not measured again",
    )
    parser.add_argument("--json", help="write the figures here too")
    return parser.parse_args(argv)


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    where = provenance()
    print(where, flush=True)
    print(f"{'patch':>6}{'batch':>6}{'patches':>9}{'seconds':>9}{'GiB':>7}")
    figures = {}
    known = read_known(options.known, where) if options.known else {}
    for patch, batch in sorted({(p, USUAL_BATCH) for p in PATCHES} | {(USUAL_PATCH, b) for b in BATCHES}):
        this = [sys.executable, "-m", "benchmarks.throughput", "--peers", "", "--threads", options.threads]
        this += ["--measure", MODEL, "float32", patch, batch]
        row = figures[patch, batch] = known.get((patch, batch)) or ask(this, options.threads)
        print(f"{patch:>6}{batch:>6}{row['patches']:>9}{row['seconds']:>9.3f}{row['peak_gib']:>7.2f}", flush=True)
    along_patch = [figures[p, USUAL_BATCH]["seconds"] for p in PATCHES]
    along_batch = [figures[USUAL_PATCH, b] for b in BATCHES]
    slopes = {
        "voxels of a patch": slope([p**3 for p in PATCHES], along_patch),
        "patches of a step": slope([r["patches"] for r in along_batch], [r["seconds"] for r in along_batch]),
    }
    for what, value in slopes.items():
        print(f"log-log slope of the seconds over the {what}: {value:.2f}")
    if options.json:
        rows = [{"patch": patch, "batch": batch, **row} for (patch, batch), row in figures.items()]
        write_json(options.json, {"provenance": where, "rows": rows, "slopes": slopes})


def read_known(path, where):
    """Reads, by patch and batch, the figures of the model's step that `benchmarks.throughput` wrote with the same
    machine and versions."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if without_date(content["provenance"]) != without_date(where):
        raise SystemExit(f"error: {path} was measured elsewhere, on {content['provenance']}; measure it anew first")
    return {(row["patch"], row["batch"]): row for row in content["rows"] if row["name"] == MODEL}


def slope(sizes, seconds):
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


if __name__ == "__main__":
    main()
