"""Studies what training depends on: `python -m tuning.study --factor epochs`.

Varies one factor at a time, with the others as in the paper, or several values jointly with one of KerasTuner's
searches. Interrupted, `--resume` goes on where it stood. Without --data the embedded cohort of phantoms is used.
"""

import argparse
import dataclasses
import functools
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from tf_msgan.cli.command import command
from tf_msgan.cli.config_options import add_set_option
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.scan_options import add_data_options, add_preparation_options, asked_preparation
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.config import MODELS, PRESETS, choose_preset
from tf_msgan.datasets.choose_preparation import prepare_config
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError, OptionError, require
from tf_msgan.phantoms.phantom_cohort import are_phantoms, embedded_cohort
from tuning.factors import FACTORS, plan_rows, scale_settings
from tuning.plan import check_roles, check_settings
from tuning.roles import be_chief, read_address, run_locally, run_workers, wait_for_chief

SEARCHES = ("hyperband", "bayesian", "random")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tuning.study", description=__doc__)
    what = parser.add_argument_group("what is varied: one of")
    what.add_argument("--factor", choices=(*FACTORS, "all"))
    what.add_argument("--search", choices=SEARCHES, help="over all that tuning/search_space.py names")
    parser.add_argument("--values", nargs="+", metavar="V", help="of the factor (default: the paper's)")
    parser.add_argument("--seeds", type=int, help="of a factor's every value (default: 1)")
    parser.add_argument("--max-trials", type=int, metavar="N", help="of a search (default: 20)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="fewer steps and smaller patches: 0..1")
    parser.add_argument("--model", choices=MODELS, default="multi-stage")
    parser.add_argument("--preset", choices=PRESETS, help="default: paper; of a search as of tf_msgan.train")
    add_set_option(parser)
    parser.add_argument("--out", type=Path, default=Path("runs/study"), help="folder of the study")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier study in --out")
    parser.add_argument("--resume", action="store_true", help="go on with the study in --out")
    parser.add_argument("--no-progress", action="store_true")
    add_data_options(parser)
    add_preparation_options(parser)
    spread = parser.add_argument_group("several processes (--out must be a folder that all see)")
    spread.add_argument("--local-workers", type=int, metavar="N", help="a chief and so many workers on this machine")
    spread.add_argument("--role", choices=("chief", "worker"), help="hand out the trials, or do them")
    spread.add_argument("--oracle", metavar="HOST:PORT", help="where the chief listens")
    spread.add_argument("--workers", type=int, metavar="N", help="worker processes here, with --role worker (1)")
    return parser


def check_options(options: argparse.Namespace) -> None:
    if (options.factor is None) == (options.search is None):
        found = "both" if options.factor else "neither"
        raise InputError("--factor and --search", found, "one of them")
    for name in ("seeds", "max_trials", "local_workers", "workers"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise OptionError(name, value, "1 or more")
    if options.values and options.factor in (None, "all"):
        raise OptionError("values", " ".join(options.values), f"--factor with it, {', '.join(FACTORS)}")
    if options.search and options.seeds is not None:
        raise OptionError("seeds", options.seeds, "--factor with it: a search draws anew")
    if options.factor and options.max_trials is not None:
        raise OptionError("max_trials", options.max_trials, "--search with it")
    if (options.role is None) != (options.oracle is None):
        raise InputError("--role and --oracle", "one of them", "both, or neither")
    if options.local_workers and options.role:
        raise OptionError("local_workers", f"--role {options.role} beside it", "one of the two")
    if options.workers and options.role != "worker":
        raise OptionError("workers", options.workers, "--role worker with it")
    if options.role == "worker" and (options.resume or options.overwrite):
        raise OptionError("role", "worker with --resume or --overwrite", "these where the chief is started")
    if options.resume and options.overwrite:
        raise OptionError("resume", "--overwrite beside it", "one of the two")
    own = {"training.seed": "--seeds varies it", "training.deterministic": "what is recorded must repeat"}
    check_settings(options.set, own)


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    check_options(options)
    require("keras_tuner", "tuning", "a study")
    address = options.oracle and read_address(options.oracle)
    progress = TerminalProgress(bars=not options.no_progress)
    root = options.data or embedded_cohort(progress)
    cohort = read_cohort(root, options.layout, options.labels, options.modalities)
    preset = options.preset or ("paper" if options.factor else choose_preset(asked=None, data=options.data))
    # What is recorded must repeat.
    settings = (*scale_settings(PRESETS[preset], options.scale), *options.set, "training.deterministic=true")
    config = dataclasses.replace(PRESETS[preset].with_fields(settings), model=options.model)
    split = read_split(options.split, cohort, may_lack_modality=config.augmentation.may_lack_modality)
    check_roles(split, options.split, "validation", "test")
    config = prepare_config(config, cohort, split, **asked_preparation(options))
    max_trials = options.max_trials or 20
    rows = None
    if options.factor:
        factors: Iterable[str] = FACTORS if options.factor == "all" else (options.factor,)
        rows = plan_rows(factors, options.values, options.seeds or 1, config)
    plan = {
        "rows": [row.name for row in rows] if rows else None,
        "search": options.search and {"kind": options.search, "max_trials": max_trials},
        "scale": options.scale,
    }
    with quiet_import():
        from tuning.oracles import search
        from tuning.trials import Study, begin
    study = Study(
        folder=options.out,
        cohort=cohort,
        labels=options.labels,
        split=split,
        preset=preset,
        settings=settings,
        config=config,
        plan=plan,
    )
    if options.role == "worker":
        # Which writes the plan first.
        wait_for_chief(address)
    begin(study, resume=options.resume or options.role == "worker", overwrite=options.overwrite)
    if options.resume:
        study.forget_failures()

    work = functools.partial(search, study, rows, options.search, max_trials)
    if options.local_workers:
        run_locally(work, options.local_workers)
    elif options.role == "chief":
        be_chief(work, address)
    elif options.role == "worker":
        run_workers(work, address, options.workers or 1)
        return
    else:
        work()
    from tuning.study_report import write_report

    called = shlex.join(["python", *sys.orig_argv[1:]])
    print(write_report(study, rows, phantoms=are_phantoms(cohort.root), command=called))
    if all("error" in outcome for outcome in study.read_outcomes()):
        sys.exit(1)


if __name__ == "__main__":
    main()
