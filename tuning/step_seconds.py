"""How long a model's training takes on this machine, so that models can be given equal minutes."""

import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypedDict

from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.progress import Progress

# What the progress is called.
TURNS = "measuring the steps of each model, in turns"
# Steps before the timed ones: for the first, batches lie ready; later ones are made beside the steps, on the same
# cores.
WARM_UP = 20
# Steps that are timed.
TIMED = 40
# Validations that are timed, after a first one.
VALIDATIONS = 3
# Turns of each model: a shared machine drifts by a tenth within minutes.
ROUNDS = 3

# What is measured, in seconds, by what it is of.
StepSeconds = dict[str, float]


class TimedModels(TypedDict):
    """What `step-seconds.json` holds: the machine, None if nothing was measured, and `seconds_of_steps` by model."""

    machine: str | None
    models: dict[str, StepSeconds]


def epochs_within(minutes: float, config: Config, seconds: StepSeconds) -> int:
    """Returns how many epochs and their validations end within `minutes`; at least one. `seconds`: see
    `seconds_of_steps`."""

    def end(epochs: int) -> float:
        training = config.with_training(epochs=epochs).training
        alone = training.labelled_epochs if seconds["game"] else epochs
        steps = alone * seconds["labels"] + (epochs - alone) * seconds["game"]
        return training.steps_per_epoch * steps + epochs * seconds["validation"]

    return next(epochs for epochs in itertools.count(1) if end(epochs + 1) > 60 * minutes)


def measure_in_turns(jobs: Mapping[str, Callable[[], StepSeconds]], progress: Progress) -> dict[str, StepSeconds]:
    """Returns the seconds that each job returns, by its name: each the fastest of all rounds, since whatever else the
    machine does only slows it. Jobs take turns, A B A B …; the `progress` is told of every turn."""
    turns = list(jobs) * ROUNDS
    rounds: dict[str, list[StepSeconds]] = {name: [] for name in jobs}
    for done, name in enumerate(turns):
        progress(TURNS, done, len(turns))
        rounds[name].append(jobs[name]())
    progress(TURNS, len(turns), len(turns))
    return {name: {part: min(each[part] for each in found) for part in found[0]} for name, found in rounds.items()}


def seconds_of_steps(cohort: Cohort, split: Split, config: Config) -> StepSeconds:
    """Returns the seconds of a step of the supervised phase ("labels"), of one of the adversarial phase ("game"), 0 if
    the model makes none, and of the "validation" after an epoch; each the mean of a few, in a process of its own.

    Raises:
        InputError: memory does not suffice.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_measure, cohort, split, config).result()
        except BrokenProcessPool:
            raise InputError(config.model, "a process killed in mid-step", "memory enough for its steps") from None


def _measure(cohort: Cohort, split: Split, config: Config) -> StepSeconds:
    with quiet_import():
        from tf_msgan.errors import memory_named
    with memory_named(config.model, "smaller or fewer patches, or more memory"):
        return _measure_phases(cohort, split, config)


def _measure_phases(cohort: Cohort, split: Split, config: Config) -> StepSeconds:
    import tensorflow as tf

    from tf_msgan.training.build_model import build_model
    from tf_msgan.training.train_run import load_training_scans, phases, training_patches, validation_patches

    scans = load_training_scans(cohort, split, config)
    # So many epochs that both phases have some.
    model = build_model(cohort.modalities, cohort.labels.tissues, config.with_training(epochs=100))
    compiled = config.training.jit_compile or None
    step = tf.function(model.train_step, reduce_retracing=True, jit_compile=compiled)

    def seconds_of_step(adversarial: bool) -> float:
        batches = iter(training_patches(model, scans, adversarial).take(WARM_UP + TIMED))
        for batch in itertools.islice(batches, WARM_UP):
            step(batch)
        start = time.perf_counter()
        for batch in batches:
            step(batch)["dice"].numpy()
        return (time.perf_counter() - start) / TIMED

    def seconds_of_validation() -> float:
        if not scans.validation:
            return 0.0
        test = tf.function(model.test_step, jit_compile=compiled)
        times = []
        for _ in range(1 + VALIDATIONS):
            start = time.perf_counter()
            for batch in validation_patches(model, scans.validation):
                test(batch)["dice"].numpy()
            times.append(time.perf_counter() - start)
        return statistics.mean(times[1:])

    supervised, adversarial = (seconds_of_step(with_d) if epochs else 0.0 for epochs, with_d in phases(model))
    return {"labels": supervised, "game": adversarial, "validation": seconds_of_validation()}
