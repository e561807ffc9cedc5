"""Iterations of a training, and how long they take."""

import statistics
import time

from tqdm import trange


def time_each(step, iterations: int) -> list[float]:
    """Calls `step` with how many iterations are done, again and again; returns the seconds of each."""
    seconds = []
    for done in trange(iterations, unit="iteration", mininterval=10):
        start = time.perf_counter()
        step(done)
        seconds.append(time.perf_counter() - start)
    return seconds


def summarise(seconds: list[float]) -> dict:
    """The iterations, the minutes of all, and the mean seconds of one after the first quarter, in which loaders may be
    ahead."""
    return {
        "iterations": len(seconds),
        "training_minutes": sum(seconds) / 60,
        "iteration_seconds": statistics.mean(seconds[len(seconds) // 4 :]),
    }
