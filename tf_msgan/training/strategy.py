"""Training on several devices, and on several machines."""

import json
import os

import tensorflow as tf

from tf_msgan.data.pipeline import WHOLE, Share
from tf_msgan.errors import InputError


def make_strategy(name: str, devices: int | None) -> tf.distribute.Strategy:
    """Call it before anything else of TensorFlow.

    Args:
        name: `one` device; `mirrored`, over the devices of this machine; `multiworker`, over the processes that the
            environment variable TF_CONFIG names, each a worker.
        devices: for `mirrored`, how many. By default all GPUs; without a GPU it splits the CPU into so many.

    Raises:
        InputError: there are not so many devices, or TF_CONFIG does not say what it must.
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_devices(devices))
    try:
        task = json.loads(os.environ["TF_CONFIG"])["task"]
        task["type"], int(task["index"])
    except (KeyError, TypeError, ValueError):
        expected = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": N}}'
        raise InputError("TF_CONFIG", os.environ.get("TF_CONFIG", "nothing"), expected) from None
    return tf.distribute.MultiWorkerMirroredStrategy()


def _devices(count):
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if count is None:
            raise InputError("--strategy mirrored", "no GPU", "--devices N, to split the CPU into N")
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        return [f"CPU:{n}" for n in range(count)]
    if count is not None and count > len(gpus):
        raise InputError("--devices", count, f"at most the {len(gpus)} GPUs of this machine")
    return [f"GPU:{n}" for n in range(count or len(gpus))]


def is_chief(strategy) -> bool:
    """Whether this process writes the run folder."""
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type == "chief":
        return True
    return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict()


def distribute(strategy, make_dataset):
    """Gives every process and device its share of the dataset that `make_dataset(share)` makes."""
    if strategy.num_replicas_in_sync == 1:
        return make_dataset(WHOLE)
    return strategy.distribute_datasets_from_function(
        lambda context: make_dataset(
            Share(
                context.input_pipeline_id,
                context.num_input_pipelines,
                context.num_replicas_in_sync // context.num_input_pipelines,
            )
        )
    )
