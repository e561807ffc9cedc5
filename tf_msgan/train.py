"""Trains, evaluates and reports: `python -m tf_msgan.train`.

Without --data the embedded cohort of phantoms is used.
"""

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path

from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.cli.program import program
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.scan_options import (
    add_data_options,
    add_preparation_options,
    asked_preparation,
    given,
)
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.config import GANS, MODELS, PRECISIONS, PRESETS, SCHEDULES, STRATEGIES, Config, choose_preset
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table_files import read_label_table
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split, read_split
from tf_msgan.errors import InputError
from tf_msgan.phantoms.phantom_cohort import embedded_cohort
from tf_msgan.runs.plan_run import plan_run
from tf_msgan.runs.run_folder import (
    begin_run,
    check_run_folder,
    check_same_data,
    describe_run,
    read_run_config,
    recorded_cohort,
    recorded_config,
    recorded_split,
)

# Options that are fields of a `TrainingConfig`.
FIELDS = (
    *("epochs", "steps_per_epoch", "batch_size", "patch", "lr", "schedule", "warmup_steps", "patience"),
    *("precision", "jit_compile", "deterministic", "seed"),
)


def parse(argv):
    parser = argparse.ArgumentParser(prog=program("tf_msgan.train"), description=__doc__)
    data = add_data_options(parser)
    data.add_argument("--labeled", type=int, metavar="N", help="how many labelled subjects train")
    data.add_argument(
        "--cache", metavar="DIR", type=Path, help="stream the scans from TFRecord shards made here, not from memory"
    )
    scans = add_preparation_options(parser)
    scans.add_argument("--drop-modality", type=float, metavar="P", help="train for scans that lack one (default: 0)")
    run = parser.add_argument_group("run")
    run.add_argument("--out", metavar="DIR", type=Path, help="run folder (default: runs/, the time and a number)")
    run.add_argument("--overwrite", action="store_true", help="replace an earlier run in the run folder")
    run.add_argument("--resume", action="store_true", help="go on with the run in the run folder, as it was begun")
    run.add_argument("--max-minutes", type=float, help="of training, resumed parts included; evaluates then")
    run.add_argument("--dry-run", action="store_true", help="check the scans, print the plan and train nothing")
    run.add_argument("--no-progress", action="store_true", help="no progress bars")
    training = parser.add_argument_group("training")
    training.add_argument("--model", choices=MODELS, help="default: multi-stage")
    training.add_argument("--gan-loss", choices=GANS, help="of the adversarial models (default: nsgan)")
    training.add_argument(
        "--preset", choices=PRESETS, help="start from these values (default: demo on the phantoms, else best)"
    )
    training.add_argument("--epochs", type=int)
    training.add_argument("--steps-per-epoch", type=int)
    training.add_argument("--batch-size", type=int, help="labelled patches a step")
    training.add_argument("--patch", type=int, help="voxels a side, a multiple of 8")
    training.add_argument("--lr", type=float, help="peak learning rate")
    training.add_argument("--schedule", choices=SCHEDULES, help="how the learning rate falls (default: cosine)")
    training.add_argument("--warmup-steps", type=int, help="steps in which it rises first")
    training.add_argument("--patience", type=int, help="stop after so many epochs without a better validation Dice")
    training.add_argument("--seed", type=int)
    training.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PART.FIELD=VALUE",
        help="any other value of a preset, as config.json has it",
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument("--precision", choices=PRECISIONS, help="of the networks (default: float32)")
    machine.add_argument("--deterministic", action="store_true", default=None, help="equal weights from equal seeds")
    machine.add_argument("--jit-compile", action="store_true", default=None, help="compile the step with XLA")
    machine.add_argument(
        "--strategy", choices=STRATEGIES, default="one", help="mirrored: several devices; multiworker: see TF_CONFIG"
    )
    machine.add_argument("--devices", type=int, help="of --strategy mirrored (default: all GPUs)")
    return parser.parse_args(argv)


def read_config(options) -> Config:
    preset = PRESETS[choose_preset(options.preset, options.data)]
    augmentation = dataclasses.replace(preset.augmentation, **given(options, ("drop_modality",)))
    loss = dataclasses.replace(preset.loss, gan=options.gan_loss or preset.loss.gan)
    changes = {"augmentation": augmentation, "loss": loss, "model": options.model or preset.model}
    config = dataclasses.replace(preset, **changes).with_training(**given(options, FIELDS))
    if options.gan_loss and config.model == "unet":
        raise InputError("--gan-loss", options.gan_loss, "an adversarial --model: the U-Net plays no game")
    return config.with_fields(options.set)


def check_options(options):
    """Refuses options that do not go together."""
    if options.devices is not None and (options.strategy != "mirrored" or options.devices < 1):
        raise InputError("--devices", options.devices, "1 or more, with --strategy mirrored")
    if options.max_minutes is not None and not options.max_minutes > 0:
        raise InputError("--max-minutes", options.max_minutes, "above 0")
    if options.strategy == "multiworker" and options.max_minutes is not None:
        raise InputError("--max-minutes", "--strategy multiworker", "--epochs: the workers' clocks differ")
    if options.out is None and (options.resume or options.strategy == "multiworker"):
        raise InputError("--out", "nothing", "the run's folder, for --resume and for several workers")
    if options.cache and options.out and options.cache.resolve().is_relative_to(options.out.resolve()):
        raise InputError("--cache", options.cache, f"a folder outside {options.out}, which holds the run alone")
    if options.resume and options.overwrite:
        raise InputError("--resume", "--overwrite beside it", "one of the two")


def check_unchanged(options, run: Path, config: Config, cohort: Cohort, split: Split):
    """Refuses options that would make a resumed run another one."""
    began = {**vars(config.training), **vars(config.preparation), **vars(config.augmentation)}
    began |= {"layout": cohort.layout, "model": config.model, "gan_loss": config.loss.gan}
    asked = given(options, (*FIELDS, "drop_modality", "layout", "model", "gan_loss")) | asked_preparation(options)
    for name, value in asked.items():
        if value != began[name]:
            raise InputError(f"--{name.replace('_', '-')}", value, f"{began[name]}, as {run} began")
    if config.with_fields(options.set) != config:
        raise InputError("--set", " ".join(options.set), f"the values of {run}, or none")
    if options.preset is not None:
        again = dataclasses.replace(read_config(options), preparation=config.preparation)
        if again != config:
            raise InputError("--preset", options.preset, f"the config of {run}, or no --preset")
    split_asked = options.split is not None or options.labeled is not None
    may_lack = config.augmentation.may_lack_modality
    if split_asked and read_split(options.split, cohort, options.labeled, may_lack) != split:
        raise InputError("--split", options.split or f"--labeled {options.labeled}", f"the split of {run}, or none")
    if options.modalities is not None and cohort.with_modalities(options.modalities).modalities != cohort.modalities:
        raise InputError("--modalities", " ".join(options.modalities), f"{' '.join(cohort.modalities)}, as {run} began")
    if options.labels is not None and read_label_table(options.labels) != cohort.labels:
        raise InputError("--labels", options.labels, f"the table of {run}, or no --labels")


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    check_options(options)
    run = options.out or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    progress = TerminalProgress(not options.no_progress)
    if options.resume:
        recorded = read_run_config(run)
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
        split, config = plan_run(cohort, config, options.split, options.labeled, progress, **asked)
    with quiet_import():
        from tf_msgan.cli.epoch_progress import EpochProgress
        from tf_msgan.evaluation.evaluate_run import evaluate_and_report
        from tf_msgan.training.strategy import is_chief, make_strategy
        from tf_msgan.training.train_run import load_training_scans, train_run
        from tf_msgan.training.training_plan import describe_plan
    strategy = make_strategy(options.strategy, options.devices, config)
    print(describe_plan(cohort, split, config, in_memory=options.cache is None))
    if options.dry_run:
        return

    scans = load_training_scans(cohort, split, config, options.cache, progress)
    if is_chief(strategy) and not options.resume:
        begin_run(run, describe_run(cohort, split, config, sys.argv[1:] if argv is None else argv), options.overwrite)
    digest = train_run(
        *(run, scans, cohort.modalities, cohort.labels.tissues, config),
        callbacks=[EpochProgress(progress.bars)],
        resume=options.resume,
        max_minutes=options.max_minutes,
        strategy=strategy,
    ).digest()
    print(f"weights at the end: SHA-256 {digest}", flush=True)
    if is_chief(strategy):
        print(evaluate_and_report(run, cohort, split, progress) if split.test else "no test subjects: not evaluated")


if __name__ == "__main__":
    main()
