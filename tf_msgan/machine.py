"""Where a figure was measured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("tensorflow", "keras", "numpy", "scipy", "nibabel", "nilearn", "scikit-learn")


def describe_machine() -> str:
    """The processor's name and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    # macOS has no affinity.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def describe_versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def describe_commit() -> dict | None:
    """The git commit of this code, and whether files that git tracks were changed since; None outside a repository."""

    def git(*arguments):
        folder = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", ".")
        return {"commit": git("rev-parse", "HEAD").strip(), "changed": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return None
