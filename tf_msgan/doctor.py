"""Checks a folder of scans before hours are spent on it: `python -m tf_msgan.doctor DIR`.

Exit status 0: all is well; 1: there are warnings; 2: there are errors.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from tf_msgan.cli.command import command
from tf_msgan.cli.exit_status import line_of
from tf_msgan.cli.program import program
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.scan_options import add_cohort_options, add_labeled_option, add_split_option
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.config import PRESETS, Preparation
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.examine import Problem, SubjectFacts, compare, examine
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split, read_split
from tf_msgan.errors import InputError
from tf_msgan.progress import silent


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("tf_msgan.doctor"), description=__doc__)
    parser.add_argument("folder", metavar="DIR", help="folder of scans")
    add_cohort_options(parser)
    add_split_option(parser)
    add_labeled_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    return parser


def find_split(cohort: Cohort, options: argparse.Namespace) -> tuple[Split | None, list[Problem]]:
    """Returns the split that training would have, or what stands in its way."""
    try:
        return read_split(options.split, cohort, options.labeled), []
    except InputError as error:
        return None, [Problem("error", line_of(error))]


def plan(cohort: Cohort, split: Split) -> tuple[Preparation, dict[str, int]]:
    """Returns the preparation of a run by the default preset, and the bytes that it would take."""
    with quiet_import():
        from tf_msgan.models.make_model import make_model
        from tf_msgan.training.training_plan import estimate_memory
    preparation = choose_preparation(cohort, split)
    config = dataclasses.replace(PRESETS["best"], preparation=preparation)
    model = make_model(cohort.modalities, cohort.labels.tissues, config)
    return preparation, estimate_memory(model, cohort, split, in_memory=True)


def table(subjects: list[SubjectFacts]) -> str:
    rows = [("subject", "role", "shape", "spacing, mm", "axes", "intensities", "label values", "mL", "SHA-256")]
    for facts in subjects:
        rows.append(
            (
                facts.id,
                facts.role,
                "×".join(map(str, facts.shape)),
                "×".join(f"{mm:g}" for mm in facts.spacing_mm),
                facts.orientation,
                ", ".join(f"{name} {low:g}…{high:g}" for name, (low, high) in facts.ranges.items()),
                _codes(facts.codes),
                ", ".join(f"{tissue} {volume:.4g}" for tissue, volume in facts.volumes_ml.items()),
                facts.sha256[:8],
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    # A name may hold a line break.
    return "\n".join(line.replace("\n", " ").rstrip() for line in lines)


def _codes(codes: Sequence[int]) -> str:
    return f"{codes[0]}…{codes[-1]} ({len(codes)})" if len(codes) > 8 else " ".join(map(str, codes))


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    cohort = read_cohort(options.folder, options.layout, options.labels, options.modalities)
    progress = silent if options.json else TerminalProgress(not options.no_progress)
    split, in_the_way = find_split(cohort, options)
    subjects = []
    for facts in examine(cohort, split):
        subjects.append(facts)
        progress("reading", len(subjects), len(cohort.subjects))
    problems = [problem for facts in subjects for problem in facts.problems] + compare(cohort, subjects) + in_the_way
    errors = [problem for problem in problems if problem.severity == "error"]
    preparation, memory = (None, {}) if errors or split is None else plan(cohort, split)
    if options.json:
        report = {
            "layout": cohort.layout,
            "modalities": list(cohort.modalities),
            "tissues": list(cohort.labels.tissues),
            "split": split and split.to_dict(),
            "preparation": preparation and dataclasses.asdict(preparation),
            "memory_bytes": memory,
            "subjects": [dataclasses.asdict(facts) for facts in subjects],
            "problems": [dataclasses.asdict(problem) for problem in problems],
        }
        print(json.dumps(report, indent=2))
    else:
        print(f"{cohort.layout} layout, {', '.join(cohort.modalities)}; tissues {', '.join(cohort.labels.tissues)}\n")
        print(table(subjects), end="\n\n")
        for problem in sorted(problems, key=lambda problem: problem.severity):
            print(f"{problem.severity}: {problem.text}")
        if preparation:
            print(f"scans are taken as {'skull-stripped' if preparation.crop == 'brain' else 'heads'} (--crop)")
            print(f"training takes about {sum(memory.values()) / 2**30:.1f} GiB beyond TensorFlow itself")
        print(f"{len(subjects)} subjects, {len(errors)} errors, {len(problems) - len(errors)} warnings")
    sys.exit(2 if errors else 1 if problems else 0)


if __name__ == "__main__":
    main()
