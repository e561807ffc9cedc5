"""Where a figure was measured."""

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("tensorflow", "keras", "numpy", "scipy", "nibabel", "nilearn", "scikit-learn")


def describe_machine(drivers: Path = Path("/proc/driver/nvidia/gpus")) -> str:
    """The processor's name, how many cores this process may use, and the GPUs that Linux has in `drivers`."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        name = _value(cpuinfo.read_text(encoding="utf-8"), "model name") or name
    # macOS has no affinity.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [_value(path.read_text(encoding="utf-8"), "Model") for path in sorted(drivers.glob("*/information"))]
    return ", ".join([name, f"{cores} cores", *(gpu or "a GPU of an unknown model" for gpu in gpus)])


def _value(text, key):
    """Of the first line `key : value` of a file of the kernel's; empty if there is none."""
    return next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith(key)), "")


def describe_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        # Those of an extra may be missing.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_commit() -> dict | None:
    """The git commit of this code, and whether code that git tracks was changed since; None outside a repository."""

    def git(*arguments):
        folder = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout

    try:
        # A repository that this code merely lies in, as in a virtual environment, is not its own.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no", ":(top)*.py")
        return {"commit": git("rev-parse", "HEAD").strip(), "changed": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return None
