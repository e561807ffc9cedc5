"""Lines that say where a figure was measured."""

import subprocess
import time

from tf_msgan.errors import InputError
from tf_msgan.runs.machine import describe_machine, describe_versions
from tuning.launch import complaint

PEERS = ("torch", "monai", "torchio", "nnunetv2", "dipy")
SAY_VERSIONS = f"""
import platform
from importlib.metadata import version
print("Python", platform.python_version(), *(f"{{name}} {{version(name)}}" for name in {PEERS}))
"""


def provenance() -> str:
    """Names the date, the machine and this environment's versions."""
    versions = " ".join(f"{name} {number}" for name, number in describe_versions().items())
    return f"{time.strftime('%Y-%m-%d')}; {describe_machine()}; {versions}"


def without_date(provenance: str) -> str:
    return provenance.partition("; ")[2]


def peer_versions(python: str) -> str:
    """Names the versions of the libraries in an interpreter's environment.

    Raises:
        InputError: it lacks one of them.
    """
    asked = subprocess.run([python, "-c", SAY_VERSIONS], capture_output=True, text=True)
    if asked.returncode:
        raise InputError(python, complaint(asked.stderr), "the environment of benchmarks/requirements-peers.txt")
    return asked.stdout.strip()
