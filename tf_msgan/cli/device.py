"""What TensorFlow computes on."""

import os

import tensorflow as tf

from tf_msgan.runs.machine import describe_cpu, find_gpus


def describe_device() -> str:
    """Returns the first line of a command that computes: the device that TensorFlow uses and, if it cannot use a GPU
    that this machine has, that it cannot. Call it after a strategy has been made."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = (tf.config.experimental.get_device_details(gpu).get("device_name", "of unknown model") for gpu in gpus)
        return f"device: {', '.join(f'GPU {name}' for name in names)}"
    line, present = f"device: CPU, {describe_cpu()}", find_gpus()
    if not present:
        return line
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    why = "CUDA_VISIBLE_DEVICES hides it" if hidden else "pip install 'tensorflow[and-cuda]' gives it the libraries"
    return f"{line}\nwarning: TensorFlow does not use the GPU {', '.join(present)}: {why}"
