"""Measurements that take turns, A B A B …, each in a process of its own."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager

from tf_msgan.errors import InputError

Command = list[str]
# Else glibc gives the memory of every large tensor back and a process waits for it anew: PyTorch's steps took up to 1.7
# times as long.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**35)}


@contextmanager
def restricted(cores: int):
    """Gives the processes that begin meanwhile that many cores, or all if there are fewer, no GPU, and memory that they
    keep: whoever is measured has the same."""
    mine, environment = os.sched_getaffinity(0), {"CUDA_VISIBLE_DEVICES": "", **KEEP_MEMORY}
    before = {name: os.environ.get(name) for name in environment}
    # A child begins with its parent's cores.
    os.sched_setaffinity(0, sorted(mine)[:cores])
    os.environ |= environment
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def run_on(command: Command, cores: int, **how) -> subprocess.CompletedProcess:
    """Runs a command, `restricted` to that many cores; it ends with this process, however that ends.

    Raises:
        InputError: it failed, and has said why.
    """
    bound = (sys.executable, "-m", "tuning.die_with_parent", os.getpid(), *command)
    with restricted(cores):
        result = subprocess.run([str(part) for part in bound], **how)
    if result.returncode:
        raise InputError(" ".join(map(str, command[1:3])), f"exit status {result.returncode}", "0: see above")
    return result


def ask(command: Command, cores: int) -> dict:
    """Runs a command as `run_on` does; returns the JSON object that is its last line of output.

    Raises:
        InputError: it failed, and has said why.
    """
    return json.loads(run_on(command, cores, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def take_turns(commands: dict[str, Command], rounds: int, cores: int, say: Callable = print) -> dict[str, dict]:
    """Runs every command `rounds` times, in turns, as `ask` does. Returns by name the medians of the fractions that it
    printed; all else is taken from its last round."""
    answers = {name: [] for name in commands}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            say(f"round {number} of {rounds}: {name}")
            answers[name].append(ask(command, cores))
    return {name: _medians(each) for name, each in answers.items()}


def _medians(answers):
    return {
        key: statistics.median(answer[key] for answer in answers) if isinstance(value, float) else value
        for key, value in answers[-1].items()
    }
