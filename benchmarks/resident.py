"""Resident memory of this process, in GiB, without any library."""

from pathlib import Path


def rest_gib() -> float:
    """Returns the memory that it holds now."""
    return _status("VmRSS")


def own_gib() -> float:
    """Returns the memory that it holds now and that no file backs: the system cannot take it back."""
    return _status("RssAnon")


def peak_gib() -> float:
    """Returns the most that it has held since its start. (`getrusage` counts the process that started this one,
    too.)"""
    return _status("VmHWM")


def _status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 2**20
