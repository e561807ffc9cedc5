"""How long a user waits for a first sign of life: `python -m benchmarks.first_minute RUN`.

Seconds from the start of a process, medians of some: until `tf_msgan.train --help` has printed its text; until
`tf_msgan.train`, on the embedded phantoms, has done its first step; until `tf_msgan.predict RUN` has written the first
label map, of a phantom at 2 mm.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import provenance
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import VISIBLE, write_json
from tf_msgan.phantoms.phantom_cohort import embedded_cohort

MOST_SECONDS_OF_HELP = 1.5


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_minute", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--first-step", metavar="FOLDER", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def train_until_the_first_step(folder):
    """Runs the command in this process, and ends it there."""
    from tf_msgan import train
    from tf_msgan.training.callbacks import StopAtNonFinite

    class StopAtOnce(StopAtNonFinite):
        def on_train_batch_end(self, batch, logs=None):
            os._exit(0)

    from tf_msgan.training import train_run as run

    run.StopAtNonFinite = StopAtOnce
    train.main(["--out", folder, "--no-progress"])


def help_seconds(scratch, options):
    return seconds([sys.executable, "-m", "tf_msgan.train", "--help"])


def first_step_seconds(scratch, options):
    this = [sys.executable, "-m", "benchmarks.first_minute", options.run]
    return seconds([*this, "--first-step", scratch / "run"])


def first_output_seconds(scratch, options):
    images = [embedded_cohort() / f"subject-11-{modality}.img" for modality in ("T1", "T2")]
    output = scratch / "predicted"
    command = [sys.executable, "-m", "tf_msgan.predict", options.run, "--input", *images, "--output", output]

    def is_there():
        return any(output.glob(f"{VISIBLE}*_dseg.nii.gz"))

    start = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL) as process:
        while not is_there():
            # It may have written it since, and ended.
            if process.poll() is not None and not is_there():
                raise InputError(options.run, f"exit status {process.returncode}, and no label map", "one: see above")
            time.sleep(0.01)
        passed = time.perf_counter() - start
    return passed


def seconds(command):
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


MEASURES = {
    "train --help, to its text": help_seconds,
    "train, to the first step": first_step_seconds,
    "predict, to the first label map": first_output_seconds,
}


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    if options.first_step:
        train_until_the_first_step(options.first_step)
    print(provenance(), flush=True)
    embedded_cohort()
    times = {name: [] for name in MEASURES}
    for _ in range(options.rounds):
        for name, measure in MEASURES.items():
            with tempfile.TemporaryDirectory() as scratch:
                times[name].append(measure(Path(scratch), options))
    figures = {name: statistics.median(values) for name, values in times.items()}
    for name, value in figures.items():
        print(f"{name:<34}{value:>8.2f} s")
    print(f"target of --help: under {MOST_SECONDS_OF_HELP} s")
    if options.json:
        write_json(options.json, {"provenance": provenance(), "target": MOST_SECONDS_OF_HELP, "seconds": figures})


if __name__ == "__main__":
    main()
