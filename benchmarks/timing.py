"""Seconds of something done again and again, without any library."""

import statistics
import time


def median_seconds(function, seconds: float = 3.0) -> float:
    """Returns the median over calls after one of warm-up, as many as `seconds` take."""
    function()
    times = []
    while sum(times) < seconds:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def seconds_of_volume(segment, image, warm_up=None):
    """Returns the seconds that `segment` takes for an image `(i, j, k, modality)`, and what it returns. It is called
    for `warm_up` first: by default the middle of the image, a third of it along each axis."""
    segment(image[tuple(slice(n // 3, 2 * n // 3) for n in image.shape[:3])] if warm_up is None else warm_up)
    start = time.perf_counter()
    labels = segment(image)
    return time.perf_counter() - start, labels


def rate(function, seconds: float, warm_up: float = 5.0) -> float:
    """Returns what `function` counts a second, over `seconds` after `warm_up` of them."""
    start = time.perf_counter()
    while time.perf_counter() - start < warm_up:
        function()
    total, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        total += function()
    return total / (time.perf_counter() - start)
