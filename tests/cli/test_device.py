"""The line that says what TensorFlow computes on."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from tf_msgan.cli import device
from tf_msgan.runs.machine import describe_cpu


def test_a_machine_without_a_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(device, "find_gpus", lambda: [])
    assert device.describe_device() == f"device: CPU, {describe_cpu()}"


def test_a_gpu_that_is_used_is_named(monkeypatch):
    gpu = SimpleNamespace(name="/physical_device:GPU:0", device_type="GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [gpu])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: {"device_name": "NVIDIA H200"})
    assert device.describe_device() == "device: GPU NVIDIA H200"


@pytest.mark.parametrize(
    ("hidden", "why"), [(None, "pip install 'tensorflow[and-cuda]'"), ("-1", "CUDA_VISIBLE_DEVICES hides it")]
)
def test_a_gpu_that_cannot_be_used_is_said(hidden, why, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(device, "find_gpus", lambda: ["NVIDIA H200"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    first, second = device.describe_device().splitlines()
    assert first.startswith("device: CPU") and second.startswith("warning: TensorFlow does not use the GPU NVIDIA H200")
    assert why in second
