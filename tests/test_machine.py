"""What a run records of its machine."""

import os

import pytest

from tf_msgan.machine import describe_machine


def test_machine_has_its_cores(tmp_path):
    assert describe_machine(tmp_path).endswith(f", {len(os.sched_getaffinity(0))} cores")


# What the NVIDIA driver writes, and what is said of it.
@pytest.mark.parametrize(
    ("information", "said"),
    [
        ("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 61\n", "NVIDIA H100 80GB HBM3"),
        ("IRQ:   \t\t 61\n", "a GPU of an unknown model"),
    ],
)
def test_machine_has_its_gpus(tmp_path, information, said):
    folder = tmp_path / "0000:07:00.0"
    folder.mkdir()
    (folder / "information").write_text(information)
    assert describe_machine(tmp_path).endswith(f" cores, {said}")
