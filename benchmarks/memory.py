"""Peak memory of a training run over a large cohort: `python -m benchmarks.memory DIR`.

Runs `tf_msgan.train` on a cohort of infant phantoms at 2 mm (drawn into DIR if it does not exist), once from memory and
once with --cache, and prints the peak memory of each process, evaluation of the test subjects included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.provenance import provenance
from tf_msgan.io.atomic_files import write_json
from tf_msgan.phantoms.phantom_cohort import LABELLED, write_cohort


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--steps", type=int, default=30)
    return parser.parse_args(argv)


def peak_gb(command):
    """Runs a command; returns the largest resident set of its process, in GB of 10⁹ bytes."""
    process = subprocess.Popen([sys.executable, "-m", *map(str, command)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024 / 1e9


def main(argv=None):
    options = parse(argv)
    if not options.folder.exists():
        write_cohort("infant", options.folder, options.subjects, spacing=2, seed=0)
    print(provenance())
    with tempfile.TemporaryDirectory() as scratch:
        split = Path(scratch) / "split.json"
        unlabeled = [str(n) for n in range(LABELLED["infant"] + 1, options.subjects + 1)]
        roles = {"train": ["1", "2"], "validation": ["3"], "unlabeled": unlabeled, "test": ["4", "5"]}
        write_json(split, roles)
        command = ["tf_msgan.train", "--data", options.folder, "--split", split, "--preset", "demo", "--no-progress"]
        command += ["--epochs", 2, "--steps-per-epoch", options.steps, "--overwrite", "--out", Path(scratch) / "run"]
        for name, more in (("from memory", []), ("--cache", ["--cache", Path(scratch) / "cache"])):
            print(f"{options.subjects} subjects, {name}: peak memory {peak_gb(command + more):.2f} GB", flush=True)


if __name__ == "__main__":
    main()
