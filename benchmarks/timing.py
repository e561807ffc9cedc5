"""Seconds of something done again and again, without any library."""

import statistics
import time


def median_seconds(function, seconds: float = 5.0) -> float:
    """Median over calls after one of warm-up, as many as `seconds` take."""
    function()
    times = []
    while sum(times) < seconds:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rate(function, seconds: float, warm_up: float = 5.0) -> float:
    """What `function` counts, a second, over `seconds` after `warm_up` of them."""
    start = time.perf_counter()
    while time.perf_counter() - start < warm_up:
        function()
    total, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        total += function()
    return total / (time.perf_counter() - start)
