"""Evaluates a trained run on its test subjects, and writes its report: `python -m tf_msgan.evaluate RUN`."""

import argparse
from pathlib import Path

from tf_msgan.cli.command import command
from tf_msgan.cli.program import program
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.errors import InputError
from tf_msgan.runs.run_record import check_same_data, read_run_record, recorded_cohort, recorded_split


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("tf_msgan.evaluate"), description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--data", metavar="DIR", help="where the run's scans lie now (default: where they lay)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    return parser


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    recorded = read_run_record(options.run)
    progress = TerminalProgress(not options.no_progress)
    cohort = recorded_cohort(recorded, options.data, progress)
    split = recorded_split(recorded, options.run, cohort)
    check_same_data(options.run, recorded, cohort, split)
    if not split.test:
        raise InputError(options.run, "a split without test subjects", "a run that has some")
    with quiet_import():
        from tf_msgan.cli.device import describe_device
        from tf_msgan.evaluation.evaluate_run import evaluate_and_report
    print(describe_device(), flush=True)
    print(evaluate_and_report(options.run, cohort, split, progress))


if __name__ == "__main__":
    main()
