"""Trains, evaluates and reports: `python -m tf_msgan.train`.

Without --data the embedded cohort of phantoms is used.
"""

import argparse
import time
from pathlib import Path

from tf_msgan.config import PRESETS, Config
from tf_msgan.data.cohort import load_scan
from tf_msgan.data.layouts import LAYOUTS, read_cohort
from tf_msgan.data.phantom_cohort import cached_infant_cohort
from tf_msgan.data.splits import SPLITS, read_split
from tf_msgan.errors import exit_on_input_error
from tf_msgan.progress import Progress
from tf_msgan.quiet import quiet_import
from tf_msgan.run_folder import check_run_folder, make_run_folder, write_run_config


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m tf_msgan.train", description=__doc__)
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="DIR", help="folder of scans (default: the embedded phantoms)")
    data.add_argument("--layout", choices=LAYOUTS, default="iseg", help="of the folder (default: iseg)")
    data.add_argument(
        "--split",
        metavar="NAME|FILE.json",
        help=f"{', '.join(SPLITS)}, or a file of ids by role (default: LAYOUT-few-shot)",
    )
    run = parser.add_argument_group("run")
    run.add_argument("--out", metavar="DIR", type=Path, help="run folder (default: runs/ and the time)")
    run.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    run.add_argument("--dry-run", action="store_true", help="print the plan and train nothing")
    run.add_argument("--no-progress", action="store_true", help="no progress bars")
    training = parser.add_argument_group("training")
    training.add_argument("--model", choices=["multi-stage"], default="multi-stage")
    training.add_argument(
        "--preset", choices=PRESETS, help="start from these values (default: demo on the phantoms, else standard)"
    )
    training.add_argument("--epochs", type=int)
    training.add_argument("--steps-per-epoch", type=int)
    training.add_argument("--batch-size", type=int, help="labelled patches a step, and as many unlabelled")
    training.add_argument("--patch", type=int, help="voxels a side, a multiple of 8")
    training.add_argument("--lr", type=float, help="peak learning rate")
    training.add_argument("--seed", type=int)
    return parser.parse_args(argv)


def read_config(options) -> Config:
    preset = PRESETS[options.preset or ("standard" if options.data else "demo")]
    names = ("epochs", "steps_per_epoch", "batch_size", "patch", "lr", "seed")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return preset.with_training(**given)


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    config = read_config(options)
    run = options.out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    if not options.dry_run:
        check_run_folder(run, options.overwrite)
    progress = Progress(not options.no_progress)
    root = options.data or cached_infant_cohort(progress.task("drawing the embedded phantoms"))
    cohort = read_cohort(root, options.layout)
    split = read_split(options.split or f"{options.layout}-few-shot", cohort)
    with quiet_import():
        from tf_msgan.evaluation.evaluate_run import evaluate_and_report
        from tf_msgan.training.plan import describe_plan
        from tf_msgan.training.run import load_training_scans, train_run
    print(describe_plan(cohort, split, config))
    if options.dry_run:
        return

    scans = load_training_scans(cohort, split)
    for id in split.test:
        # Read to be refused now, if at all, and not after hours of training; nothing of it is kept.
        load_scan(cohort, id, with_labels=True)
    make_run_folder(run)
    write_run_config(run, cohort, split, config)
    train_run(run, scans, cohort.modalities, cohort.labels.tissues, config, progress.bars)
    print(evaluate_and_report(run, cohort, split, progress))


if __name__ == "__main__":
    main()
