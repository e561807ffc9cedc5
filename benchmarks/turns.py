"""Measurements that take turns, A B A B …, each in a process of its own."""

import json
import statistics
import subprocess
from collections.abc import Callable

Command = list[str]


def ask(command: Command) -> dict:
    """Runs a command; returns the JSON object that is its last line of output.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def take_turns(commands: dict[str, Command], rounds: int, say: Callable = print) -> dict[str, dict]:
    """Runs every command `rounds` times, in turns. Returns by name the medians of the fractions that it printed; all
    else is taken from its last round."""
    answers = {name: [] for name in commands}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            say(f"round {number} of {rounds}: {name}")
            answers[name].append(ask(command))
    return {name: _medians(each) for name, each in answers.items()}


def _medians(answers):
    return {
        key: statistics.median(answer[key] for answer in answers) if isinstance(value, float) else value
        for key, value in answers[-1].items()
    }
