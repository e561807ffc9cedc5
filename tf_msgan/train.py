"""Trains, evaluates and reports: `python -m tf_msgan.train`.

Without --data the embedded cohort of phantoms is used.
"""

import argparse
import dataclasses
import os
import time
from pathlib import Path

from tf_msgan.cli.command import command
from tf_msgan.cli.config_options import add_config_options, add_set_option, asked_values
from tf_msgan.cli.program import program
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.scan_options import add_data_options, add_labeled_option, asked_preparation
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.config import PRESETS, STRATEGIES, Config, choose_preset
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table_files import read_label_table
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split, read_split
from tf_msgan.errors import OptionError
from tf_msgan.phantoms.phantom_cohort import embedded_cohort
from tf_msgan.runs.plan_run import plan_run
from tf_msgan.runs.run_folder import begin_run, check_run_folder, describe_run
from tf_msgan.runs.run_record import (
    check_same_data,
    read_run_record,
    recorded_cohort,
    recorded_config,
    recorded_split,
)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("tf_msgan.train"), description=__doc__)
    data = add_data_options(parser)
    add_labeled_option(data)
    data.add_argument(
        "--cache", metavar="DIR", type=Path, help="stream the scans from files made here, not from memory"
    )
    scans = parser.add_argument_group("scans")
    run = parser.add_argument_group("run")
    run.add_argument("--out", metavar="DIR", type=Path, help="run folder (default: runs/, the time and a number)")
    run.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    run.add_argument("--resume", action="store_true", help="go on with the run in the run folder, as it was begun")
    run.add_argument("--max-minutes", type=float, help="of training, resumed parts included; evaluates then")
    run.add_argument("--dry-run", action="store_true", help="check the scans, print the plan and train nothing")
    run.add_argument("--no-progress", action="store_true", help="no progress bars")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--preset", choices=PRESETS, help="start from these values (default: demo on the phantoms, else best)"
    )
    machine = parser.add_argument_group("machine")
    add_config_options({"scans": scans, "training": training, "machine": machine})
    add_set_option(training)
    machine.add_argument(
        "--strategy", choices=STRATEGIES, default="one", help="mirrored: several devices; multiworker: see TF_CONFIG"
    )
    machine.add_argument("--devices", type=int, help="of --strategy mirrored (default: all GPUs)")
    return parser


def read_config(options: argparse.Namespace) -> Config:
    """Returns the config that is asked for, but for its preparation."""
    asked = asked_values(options, of_preparation=False)
    config = PRESETS[choose_preset(options.preset, options.data)].with_values(asked)
    if "loss.gan" in asked and not config.has_adversarial_phase:
        raise OptionError("loss.gan", config.loss.gan, "an adversarial --model: the U-Net has no adversarial phase")
    return config.with_fields(options.set)


def check_options(options: argparse.Namespace) -> None:
    """Refuses options that do not go together."""
    if options.devices is not None and (options.strategy != "mirrored" or options.devices < 1):
        raise OptionError("devices", options.devices, "1 or more, with --strategy mirrored")
    if options.max_minutes is not None and not options.max_minutes > 0:
        raise OptionError("max_minutes", options.max_minutes, "above 0")
    if options.strategy == "multiworker" and options.max_minutes is not None:
        raise OptionError("max_minutes", "--strategy multiworker", "--epochs: the workers' clocks differ")
    if options.out is None and (options.resume or options.strategy == "multiworker"):
        raise OptionError("out", "nothing", "the run's folder, for --resume and for several workers")
    if options.cache and options.out and options.cache.resolve().is_relative_to(options.out.resolve()):
        raise OptionError("cache", options.cache, f"a folder outside {options.out}, which holds the run alone")
    if options.resume and options.overwrite:
        raise OptionError("resume", "--overwrite beside it", "one of the two")


def check_unchanged(options: argparse.Namespace, run: Path, config: Config, cohort: Cohort, split: Split) -> None:
    """Refuses options that would make a resumed run another one."""
    preparation = {f"preparation.{name}": value for name, value in asked_preparation(options).items()}
    for name, value in (asked_values(options, of_preparation=False) | preparation).items():
        if value != config.value(name):
            raise OptionError(name, value, f"{config.value(name)}, as {run} began")
    if options.layout is not None and options.layout != cohort.layout:
        raise OptionError("layout", options.layout, f"{cohort.layout}, as {run} began")
    if config.with_fields(options.set) != config:
        raise OptionError("set", " ".join(options.set), f"the values of {run}, or none")
    if options.preset is not None:
        again = dataclasses.replace(read_config(options), preparation=config.preparation)
        if again != config:
            raise OptionError("preset", options.preset, f"the config of {run}, or no --preset")
    split_asked = options.split is not None or options.labeled is not None
    may_lack = config.augmentation.may_lack_modality
    if split_asked and read_split(options.split, cohort, options.labeled, may_lack) != split:
        raise OptionError("split", options.split or f"--labeled {options.labeled}", f"the split of {run}, or none")
    if options.modalities is not None and cohort.with_modalities(options.modalities).modalities != cohort.modalities:
        raise OptionError("modalities", " ".join(options.modalities), f"{' '.join(cohort.modalities)}, as {run} began")
    if options.labels is not None and read_label_table(options.labels) != cohort.labels:
        raise OptionError("labels", options.labels, f"the table of {run}, or no --labels")


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    check_options(options)
    run = options.out or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    progress = TerminalProgress(not options.no_progress)
    if options.resume:
        recorded = read_run_record(run)
        config = recorded_config(recorded, run)
        cohort = recorded_cohort(recorded, options.data, progress)
        split = recorded_split(recorded, run, cohort)
        check_unchanged(options, run, config, cohort, split)
        check_same_data(run, recorded, cohort, split)
    else:
        config = read_config(options)
        check_run_folder(run, options.overwrite)
        root = options.data or embedded_cohort(progress)
        cohort = read_cohort(root, options.layout, options.labels, options.modalities)
        asked = asked_preparation(options)
        split, config = plan_run(
            cohort, config, split=options.split, labeled=options.labeled, progress=progress, **asked
        )
    with quiet_import():
        from tf_msgan.cli.device import describe_device
        from tf_msgan.cli.epoch_progress import EpochProgress
        from tf_msgan.evaluation.evaluate_run import evaluate_and_report
        from tf_msgan.training.strategy import is_chief, make_strategy
        from tf_msgan.training.train_run import load_training_scans, train_run
        from tf_msgan.training.training_plan import describe_plan
    strategy = make_strategy(options.strategy, options.devices, config)
    print(describe_device())
    print(describe_plan(cohort, split, config, in_memory=options.cache is None))
    if options.dry_run:
        return

    scans = load_training_scans(cohort, split, config, cache=options.cache, progress=progress)
    if is_chief(strategy) and not options.resume:
        begin_run(run, describe_run(cohort, split, config, options.arguments), options.overwrite)
    model = train_run(
        run,
        scans,
        modalities=cohort.modalities,
        tissues=cohort.labels.tissues,
        config=config,
        callbacks=[EpochProgress(progress.bars)],
        resume=options.resume,
        max_minutes=options.max_minutes,
        strategy=strategy,
    )
    print(f"weights at the end: SHA-256 {model.digest()}", flush=True)
    if is_chief(strategy):
        print(evaluate_and_report(run, cohort, split, progress) if split.test else "no test subjects: not evaluated")


if __name__ == "__main__":
    main()
