"""What a run records of its machine."""

import importlib.util
import os
import shutil
import subprocess

import pytest

from tf_msgan.runs import machine
from tf_msgan.runs.machine import describe_machine


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


def test_a_repository_that_code_merely_lies_in_is_not_its_own(tmp_path):
    """As in a user's project, installed below it."""

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    copy = tmp_path / "venv" / "machine.py"
    copy.parent.mkdir()
    shutil.copy(machine.__file__, copy)
    (tmp_path / "thesis.tex").write_text("mine")
    git("init")
    git("add", "thesis.tex")
    git("commit", "-m", "Begin")
    spec = importlib.util.spec_from_file_location("copied_machine", copy)
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    assert copied.describe_commit() is None
    git("add", "venv/machine.py")
    git("commit", "-m", "Take it in")
    assert copied.describe_commit()["changed"] is False
