"""Resident memory of this process, in GiB, without any library."""

from pathlib import Path


def rest_gib() -> float:
    """Now."""
    return _status("VmRSS")


def peak_gib() -> float:
    """At its peak since the start. (`getrusage` counts the process that started this one, too.)"""
    return _status("VmHWM")


def _status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 2**20
