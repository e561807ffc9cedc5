"""Iterations of a training, and how long they take."""

import os
import statistics
import time
from pathlib import Path

import torch
from tqdm import trange

# Seconds of training that a kill may cost.
KEEP_EVERY = 120


def time_each(step, iterations: int, parts=(), state=None) -> list[float]:
    """Calls `step` with how many iterations are done, again and again; returns the seconds of each.

    Told a file `state`, it keeps there what changes in `parts`, networks and optimisers, and goes on with what a killed
    training kept; random numbers begin anew then.
    """
    seconds = _restore(parts, state) if state and Path(state).exists() else []
    kept = time.monotonic()
    for done in trange(len(seconds), iterations, unit="iteration", mininterval=10):
        start = time.perf_counter()
        step(done)
        seconds.append(time.perf_counter() - start)
        if state and (time.monotonic() - kept > KEEP_EVERY or done + 1 == iterations):
            _keep(parts, seconds, state)
            kept = time.monotonic()
    return seconds


def _keep(parts, seconds, state):
    temporary = f"{state}.tmp"
    torch.save({"parts": [part.state_dict() for part in parts], "seconds": seconds}, temporary)
    os.replace(temporary, state)


def _restore(parts, state):
    kept = torch.load(state)
    for part, content in zip(parts, kept["parts"], strict=True):
        part.load_state_dict(content)
    return kept["seconds"]


def summarise(seconds: list[float]) -> dict:
    """Returns the iterations, the minutes of all, and the mean seconds of one after the first quarter, in which loaders
    may be ahead."""
    return {
        "iterations": len(seconds),
        "training_minutes": sum(seconds) / 60,
        "iteration_seconds": statistics.mean(seconds[len(seconds) // 4 :]),
    }
