"""Resident memory of this process, in GiB, without any library."""

import resource
from pathlib import Path


def rest_gib() -> float:
    """Now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**30


def peak_gib() -> float:
    """At its peak since the start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
