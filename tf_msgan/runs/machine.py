"""Where a figure was measured."""

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Whose versions may change a figure.
LIBRARIES = ("tensorflow", "keras", "numpy", "scipy", "nibabel", "nilearn", "scikit-learn")
# Where Linux lists NVIDIA's GPUs.
DRIVERS = Path("/proc/driver/nvidia/gpus")


def describe_machine(drivers: Path = DRIVERS) -> str:
    """Returns the processor's name, how many cores this process may use, and the GPUs."""
    return ", ".join([describe_cpu(), *find_gpus(drivers)])


def describe_cpu() -> str:
    """Returns the processor's name, and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        name = _value(cpuinfo.read_text(encoding="utf-8"), "model name") or name
    # macOS has no affinity.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def find_gpus(drivers: Path = DRIVERS) -> list[str]:
    """Returns the models of the GPUs that Linux lists, whether TensorFlow can use them or not."""
    gpus = (_value(path.read_text(encoding="utf-8"), "Model") for path in sorted(drivers.glob("*/information")))
    return [gpu or "a GPU of an unknown model" for gpu in gpus]


def _value(text: str, key: str) -> str:
    """The value in the first line `key : value` of a file of the kernel's; empty if there is none."""
    return next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith(key)), "")


def describe_versions() -> dict[str, str]:
    """Returns the versions of Python and of `LIBRARIES`, by name."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        # Those of an extra may be missing.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_commit() -> dict[str, str | bool] | None:
    """Returns the git commit of this code, and whether code that git tracks was changed since; None outside a
    repository."""

    def git(*arguments: str) -> str:
        folder = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout

    try:
        # A repository that this code merely lies in, as in a virtual environment, is not its own.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no", ":(top)*.py")
        return {"commit": git("rev-parse", "HEAD").strip(), "changed": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return None
