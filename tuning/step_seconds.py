"""How long a model's training takes on this machine, so that models can be given equal minutes."""

import itertools
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from tf_msgan.config import Config
from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.splits import Split
from tf_msgan.progress import Progress
from tf_msgan.quiet import quiet_import

# Steps, and validations after a first one.
WARM_UP, TIMED, VALIDATIONS = 3, 24, 3


def epochs_within(minutes: float, config: Config, seconds: dict) -> int:
    """How many epochs, with their validations, end within `minutes`; at least one. `seconds` as of `measure`."""

    def end(epochs):
        training = config.with_training(epochs=epochs).training
        alone = training.labelled_epochs if seconds["game"] else epochs
        steps = alone * seconds["labels"] + (epochs - alone) * seconds["game"]
        return training.steps_per_epoch * steps + epochs * seconds["validation"]

    return next(epochs for epochs in itertools.count(1) if end(epochs + 1) > 60 * minutes)


def measure(root, layout: str, split: Split, config: Config) -> dict[str, float]:
    """Seconds of a step on `labels` alone and of one in the `game`, 0 if the model makes none, and of the `validation`
    after an epoch, measured in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, str(root), layout, split, config).result()


def _measure(root, layout, split, config):
    with quiet_import():
        import tensorflow as tf

    from tf_msgan.data.pipeline import validation_stream
    from tf_msgan.training.run import VALIDATION_BATCH, load_training_scans, phases, training_patches
    from tf_msgan.training.runtime import build_model

    cohort = read_cohort(root, layout)
    scans = load_training_scans(cohort, split, config.preparation, None, Progress(False))
    # So many epochs that both phases have some.
    model = build_model(len(cohort.modalities), cohort.labels.tissues, config.with_training(epochs=100))
    step = tf.function(model.train_step, reduce_retracing=True)

    def fastest_step(game):
        """Whatever else the machine does only slows a step."""
        times = []
        for batch in training_patches(model, scans, game).take(WARM_UP + TIMED):
            start = time.perf_counter()
            step(batch)["dice"].numpy()
            times.append(time.perf_counter() - start)
        return min(times[WARM_UP:])

    def fastest_validation():
        if not scans.validation:
            return 0.0
        test = tf.function(model.test_step)
        times = []
        for _ in range(1 + VALIDATIONS):
            start = time.perf_counter()
            for batch in validation_stream(scans.validation, config.patch, VALIDATION_BATCH, contexts=model.STAGED):
                test(batch)["dice"].numpy()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    labels, game = (fastest_step(game) if epochs else 0.0 for epochs, game in phases(model))
    return {"labels": labels, "game": game, "validation": fastest_validation()}
