"""Training on several devices, and on several machines."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tf_msgan.config import Config
from tf_msgan.errors import InputError, OptionError
from tf_msgan.patches.streams import WHOLE, Share


def make_strategy(name: str, devices: int | None, config: Config) -> tf.distribute.Strategy:
    """Returns the strategy that spreads a training; with several workers it waits for all of them. Call it before
    anything else of TensorFlow.

    Args:
        name: `one` device; `mirrored`, over the devices of this machine; `multiworker`, over the processes that the
            environment variable TF_CONFIG names, each a worker.
        devices: for `mirrored`, how many. By default all GPUs; without a GPU it splits the CPU into so many.
        config: what is to be trained over it.

    Raises:
        InputError: there are not so many devices, TF_CONFIG does not say what it must, a worker does not come, or the
            training cannot be spread.
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if config.training.jit_compile:
        raise OptionError("training.jit_compile", f"strategy {name}", "one device: XLA compiles no sums over several")
    if name == "mirrored":
        strategy = tf.distribute.MirroredStrategy(_devices(devices))
    else:
        _check_tf_config()
        with lost_worker_named():
            try:
                strategy = tf.distribute.MultiWorkerMirroredStrategy()
            except tf.errors.UnknownError as error:
                raise InputError("TF_CONFIG", error.message, "a port of this machine that is free") from None
    devices = strategy.num_replicas_in_sync
    labelled, unlabelled = config.training.batch_sizes
    found, remedy = f"{labelled} labelled patches", ""
    if config.has_adversarial_phase:
        found += f" and {unlabelled} unlabelled ones"
        remedy = ", or --set training.unlabelled_share=1"
    if labelled % devices or (config.has_adversarial_phase and unlabelled % devices):
        raise OptionError("training.batch_size", found, f"multiples of the {devices} devices{remedy}")
    return strategy


def _check_tf_config() -> None:
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        task = config["task"]
        addresses = [address for kind in config["cluster"].values() for address in kind]
        is_right = all(re.fullmatch(r".+:\d+", address) for address in addresses)
        is_right &= 0 <= int(task["index"]) < len(config["cluster"][task["type"]])
    except (AttributeError, KeyError, TypeError, ValueError):
        is_right = False
    if not is_right:
        expected = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": N}}'
        raise InputError("TF_CONFIG", os.environ.get("TF_CONFIG", "nothing"), expected)


@contextlib.contextmanager
def lost_worker_named(several_workers: bool = True) -> Iterator[None]:
    """Makes an `InputError` of what TensorFlow raises when one of several workers is gone."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if not several_workers:
            raise
        reason = str(error.message).splitlines()[0]
        raise InputError(
            "--strategy multiworker", f"a worker that is gone ({reason})", "all of them: start each again with --resume"
        ) from None


def _devices(count: int | None) -> list[str]:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if count is None:
            raise OptionError("strategy", "mirrored without a GPU", "devices, to split the CPU into so many")
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        return [f"CPU:{n}" for n in range(count)]
    if count is not None and count > len(gpus):
        raise OptionError("devices", count, f"at most the {len(gpus)} GPUs of this machine")
    return [f"GPU:{n}" for n in range(count or len(gpus))]


def several_workers(strategy: tf.distribute.Strategy) -> bool:
    """Says whether a strategy is one of several processes."""
    return strategy.cluster_resolver is not None


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Says whether this process writes the run folder."""
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type == "chief":
        return True
    return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict()


def distribute(strategy: tf.distribute.Strategy, make_dataset: Callable[[Share], tf.data.Dataset]) -> Any:
    """Gives every process and device its share of the dataset that `make_dataset(share)` makes."""
    if strategy.num_replicas_in_sync == 1:
        return make_dataset(WHOLE)
    return strategy.distribute_datasets_from_function(
        lambda context: make_dataset(
            Share(
                index=context.input_pipeline_id,
                count=context.num_input_pipelines,
                replicas=context.num_replicas_in_sync // context.num_input_pipelines,
            )
        )
    )
