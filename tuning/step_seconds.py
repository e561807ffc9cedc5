"""How long a model's training takes on this machine, so that models can be given equal minutes."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from tf_msgan.config import Config
from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.splits import Split
from tf_msgan.progress import Progress

WARM_UP, TIMED = 3, 24


def epochs_within(minutes: float, steps_per_epoch: int, seconds: dict) -> int:
    """How many epochs, with their validation, end within `minutes`; at least one."""
    return max(int(minutes * 60 / (steps_per_epoch * seconds["step"] + seconds["validation"])), 1)


def measure(root, layout: str, split: Split, config: Config) -> dict[str, float]:
    """Seconds of a `step`, a mean over the phases of a training, and of the `validation` after an epoch, measured in a
    process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, str(root), layout, split, config).result()


def _measure(root, layout, split, config):
    import tensorflow as tf

    from tf_msgan.data.pipeline import validation_stream
    from tf_msgan.training.run import VALIDATION_BATCH, load_training_scans, phases, training_patches
    from tf_msgan.training.runtime import build_model

    cohort = read_cohort(root, layout)
    scans = load_training_scans(cohort, split, config.preparation, None, Progress(False))
    model = build_model(len(cohort.modalities), cohort.labels.tissues, config)
    step = tf.function(model.train_step, reduce_retracing=True)

    def fastest(game):
        """Whatever else the machine does only slows a step."""
        times = []
        for batch in training_patches(model, scans, game).take(WARM_UP + TIMED):
            start = time.perf_counter()
            step(batch)["dice"].numpy()
            times.append(time.perf_counter() - start)
        return min(times[WARM_UP:])

    seconds = sum(len(epochs) * fastest(game) for epochs, game in phases(model) if epochs) / config.training.epochs
    validation = 0.0
    if scans.validation:
        test = tf.function(model.test_step)
        batches = validation_stream(scans.validation, config.patch, VALIDATION_BATCH, contexts=model.STAGED)
        test(next(iter(batches)))
        start = time.perf_counter()
        for batch in batches:
            test(batch)["dice"].numpy()
        validation = time.perf_counter() - start
    return {"step": seconds, "validation": validation}
