"""Compares the paper's four models: `python -m tuning.compare`.

Each model is trained with each seed on the same data, augmentation and budget, and scored on the same test subjects,
beside two references that need no training. Interrupted, the same command goes on where it stood. Without --data the
embedded cohort of phantoms is used.
"""

import argparse
import math
import shlex
import sys
from pathlib import Path

from tf_msgan.cli.command import command
from tf_msgan.cli.config_options import add_set_option
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.scan_options import add_data_options, add_labeled_option, add_preparation_options, asked_preparation
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.config import MODELS, PRESETS, choose_preset
from tf_msgan.datasets.check_scans import check_scans
from tf_msgan.datasets.choose_preparation import prepare_config
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError, OptionError, require
from tf_msgan.phantoms.phantom_cohort import are_phantoms, embedded_cohort
from tuning.cells import parts_of, plan_cells, split_of
from tuning.outcomes import Comparison, begin, do_cell, measure_steps, read_outcome
from tuning.plan import check_roles, check_settings

# What each model's training gets, unless asked otherwise: for scans, and for the embedded phantoms.
AMOUNTS = {"minutes": (12.0, 4.0), "steps": (3000, 600)}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tuning.compare", description=__doc__)
    add_labeled_option(add_data_options(parser))
    add_preparation_options(parser)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--shots", type=int, nargs="*", default=[], metavar="N", help="other numbers, for the first and the last model"
    )
    ablate_help = "multi-stage without each of its parts, too, with the first SEEDS seeds (default: all)"
    parser.add_argument("--ablate", type=int, nargs="?", const=math.inf, metavar="SEEDS", help=ablate_help)
    parser.add_argument("--budget", choices=AMOUNTS, default="minutes", help="what the models get equally much of")
    parser.add_argument("--amount", type=float, help="of the budget, for each training")
    parser.add_argument("--preset", choices=PRESETS, help="default: demo on the embedded phantoms, else best")
    add_set_option(parser)
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder of the outcomes and the report")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: runs in --out)")
    parser.add_argument("--max-cells", type=int, metavar="N", help="stop after so many trainings")
    parser.add_argument("--no-progress", action="store_true")
    return parser


def check_options(options: argparse.Namespace) -> None:
    for name, least in (("seeds", 1), ("labeled", 1), ("ablate", 1), ("max_cells", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise OptionError(name, value, f"{least} or more")
    if options.amount is not None and not 0 < options.amount < math.inf:
        raise OptionError("amount", options.amount, "above 0, and finite")
    check_settings(options.set, {"training.seed": "--seeds varies it", "training.epochs": "--amount says how many"})
    if len(set(options.models)) < len(options.models):
        raise OptionError("models", " ".join(options.models), "each once")
    if options.ablate and "multi-stage" not in options.models:
        raise OptionError("ablate", " ".join(options.models), "multi-stage among --models")


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    check_options(options)
    progress = TerminalProgress(bars=not options.no_progress)
    root = options.data or embedded_cohort(progress)
    cohort = read_cohort(root, options.layout, options.labels, options.modalities)
    preset = choose_preset(options.preset, options.data)
    config = PRESETS[preset].with_fields(options.set)
    split = read_split(options.split, cohort, may_lack_modality=config.augmentation.may_lack_modality)
    check_roles(split, options.split, "test")
    labeled = options.labeled or len(split.train)
    amount = options.amount or AMOUNTS[options.budget][options.data is None]
    config = prepare_config(config, cohort, split, **asked_preparation(options))
    if config.preparation.crop == "brain":
        require("dipy", "references", "the reference HMRF")
    parts = parts_of(config) if options.ablate else ()
    cells = plan_cells(
        options.models,
        labeled=labeled,
        shots=options.shots,
        seeds=options.seeds,
        parts=parts,
        ablated_seeds=options.ablate or 0,
    )
    splits = [split_of(cell, cohort, split) for cell in cells]
    comparison = Comparison(
        folder=options.out,
        runs=options.runs or options.out / "runs",
        cohort=cohort,
        labels=options.labels,
        split=split,
        preset=preset,
        settings=tuple(options.set),
        config=config,
        budget=options.budget,
        amount=amount,
    )
    todo = [cell for cell in cells if read_outcome(comparison, cell) is None]
    if todo[: options.max_cells]:
        most = max(splits, key=lambda each: len(each.train))
        check_scans(cohort, most, config.preparation, progress)
    begin(comparison)

    print(f"{len(cells) - len(todo)} of {len(cells)} trainings are done", flush=True)
    if todo[: options.max_cells]:
        measure_steps(comparison, todo, progress)
    failed = []
    for cell in todo[: options.max_cells]:
        print(f"training {cell.name}", flush=True)
        try:
            outcome = do_cell(comparison, cell)
        except InputError as error:
            # The others need not wait for it; the same command tries it again.
            failed.append(error)
            continue
        dice = "  ".join(f"{tissue} {scores['dice']:.4f}" for tissue, scores in outcome["mean"].items())
        print(f"{cell.name}: {dice}, {outcome['training_minutes']:.1f} minutes", flush=True)
    with quiet_import():
        from tuning.comparison_report import write_report

    called = shlex.join(["python", *sys.orig_argv[1:]])
    print(write_report(comparison, cells, labeled, phantoms=are_phantoms(cohort.root), command=called))
    for failure in failed:
        print(f"error: {failure}", file=sys.stderr)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
