"""How the patch pipeline grows with the cohort: `python -m benchmarks.growth_cohort`.

Patches a second, and the memory of the process that no file backs, over 5 to 20 phantoms at 1 mm: held in memory, and
streamed from shards (`--cache`), which are mapped into memory. Patches of 32³ with contexts, all augmentation. A
process each.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.provenance import provenance
from benchmarks.turns import ask
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.io.atomic_files import write_json

SUBJECTS = (5, 10, 20)
CORES = 2


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth_cohort", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="how long each is timed")
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", nargs=3, metavar=("FOLDER", "SUBJECTS", "CACHE"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measure(folder, subjects, cache, seconds):
    """`cache` may be empty: then the scans are held in memory."""
    from benchmarks.resident import own_gib
    from benchmarks.timing import rate
    from tf_msgan.config import Augmentation
    from tf_msgan.datasets.layouts import read_cohort
    from tf_msgan.datasets.load_scan import load_scan
    from tf_msgan.patches.scan_source import hold_scans
    from tf_msgan.patches.shards import shard_scans
    from tf_msgan.patches.streams import training_stream

    cohort = read_cohort(folder, "nnunet")
    ids = list(cohort.subjects)[:subjects]
    if cache:
        source = shard_scans(cache, cohort, ids, with_labels=True)
    else:
        source = hold_scans(load_scan(cohort, subject_id, with_labels=True) for subject_id in ids)
    stream = training_stream(
        source,
        unlabelled=None,
        patch=(32, 32, 32),
        batch_sizes=(4, 1),
        foreground=0.9,
        augmentation=Augmentation(),
        seed=0,
    )
    batches = iter(stream)
    speed = rate(lambda: len(next(batches)["labelled"]["image"]), seconds)
    return {"patches_per_second": speed, "own_gib": own_gib()}


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    if options.measure:
        folder, subjects, cache = options.measure
        print(json.dumps(measure(folder, int(subjects), cache, options.seconds)))
        return
    from benchmarks.cohort_files import write_files

    print(provenance(), flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch) / "cohort", Path(scratch) / "cache"
        write_files(folder, max(SUBJECTS))
        this = [sys.executable, "-m", "benchmarks.growth_cohort", "--seconds", options.seconds, "--measure", folder]
        # All shards are made before any process is measured.
        ask([*this, max(SUBJECTS), cache], CORES)
        print(f"{'subjects':>9}{'source':>10}{'patches/s':>11}{'GiB':>7}")
        for subjects in SUBJECTS:
            for source, where in (("memory", ""), ("shards", cache)):
                row = ask([*this, subjects, where], CORES)
                rows.append({"subjects": subjects, "source": source, **row})
                print(f"{subjects:>9}{source:>10}{row['patches_per_second']:>11.1f}{row['own_gib']:>7.2f}", flush=True)
    if options.json:
        write_json(options.json, {"provenance": provenance(), "rows": rows})


if __name__ == "__main__":
    main()
