"""Patches a second beside TorchIO and MONAI: `python -m benchmarks.pipeline --peers .venv-peers/bin/python`.

Augmented 32³ patches of 20 volumes at 1 mm, two modalities, in batches of four, on the same two cores: this project's
`training_stream`; TorchIO's `Queue`; MONAI's `CacheDataset` with `RandCropByPosNegLabeld`. All read the files once,
before the clock starts, and draw crops of one size, centred on tissue nine times in ten, with flips, affine maps of the
same strength as often, bias fields, contrast, brightness, gamma and noise. This project's stream is also timed with the
contexts that the multi-stage model needs, which doubles the voxels. A process each, in turns; figures are medians.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import peer_versions, provenance
from benchmarks.turns import take_turns
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.io.atomic_files import write_json

SUBJECTS = 20
# The peers have as many workers.
CORES = 2
# By name: whether patches come with contexts.
OURS = {"tf_msgan": False, "tf_msgan, with contexts": True}
PEERS = {"TorchIO Queue": "torchio_queue", "MONAI CacheDataset": "monai_cache"}
TARGET = 3.0


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", required=True, help="of benchmarks/requirements-peers.txt")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="how long each is timed")
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measure(name, folder, seconds):
    from benchmarks.resident import peak_gib
    from benchmarks.timing import rate
    from tf_msgan.config import Augmentation
    from tf_msgan.datasets.layouts import read_cohort
    from tf_msgan.datasets.load_scan import load_scan
    from tf_msgan.patches.scan_source import hold_scans
    from tf_msgan.patches.streams import training_stream

    cohort = read_cohort(folder, "nnunet")
    start = time.perf_counter()
    scans = hold_scans(load_scan(cohort, subject_id, with_labels=True) for subject_id in cohort.subjects)
    loaded = time.perf_counter() - start
    stream = training_stream(
        scans,
        unlabelled=None,
        patch=(32, 32, 32),
        batch_sizes=(4, 1),
        foreground=0.9,
        augmentation=Augmentation(),
        seed=0,
        contexts=OURS[name],
    )
    batches = iter(stream)

    def patches():
        return len(next(batches)["labelled"]["image"])

    return {"patches_per_second": rate(patches, seconds), "seconds_to_load": loaded, "peak_gib": peak_gib()}


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    if options.measure:
        print(json.dumps(measure(*options.measure, options.seconds)))
        return
    from benchmarks.cohort_files import write_files

    print(provenance(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "cohort"
        write_files(folder, SUBJECTS)
        seconds = ["--seconds", options.seconds]
        this = [sys.executable, "-m", "benchmarks.pipeline", "--peers", "", *seconds, "--measure"]
        ours = {name: [*this, name, folder] for name in OURS}
        theirs = {n: [options.peers, "-m", f"benchmarks.peers.{m}", folder, options.seconds] for n, m in PEERS.items()}
        figures = take_turns(ours | theirs, options.rounds, CORES)
    print(f"\n{'':<26}{'patches/s':>10}{'s to load':>11}{'GiB':>7}")
    for name, row in figures.items():
        print(f"{name:<26}{row['patches_per_second']:>10.1f}{row['seconds_to_load']:>11.1f}{row['peak_gib']:>7.2f}")
    best = max(PEERS, key=lambda name: figures[name]["patches_per_second"])
    for name in OURS:
        ratio = figures[name]["patches_per_second"] / figures[best]["patches_per_second"]
        print(f"{name} / {best}: {ratio:.2f} (target at least {TARGET})")
    if options.json:
        about = {"provenance": provenance(), "peers": peer_versions(options.peers)}
        write_json(options.json, {**about, "target": TARGET, "subjects": SUBJECTS, "figures": figures})


if __name__ == "__main__":
    main()
