"""Lines that say where a figure was measured."""

import subprocess
import time

from tf_msgan.machine import describe_machine, describe_versions

PEERS = ("torch", "monai", "torchio", "nnunetv2", "dipy")
SAY_VERSIONS = f"""
import platform
from importlib.metadata import version
print("Python", platform.python_version(), *(f"{{name}} {{version(name)}}" for name in {PEERS}))
"""


def provenance() -> str:
    """Date, machine and this environment's versions."""
    versions = " ".join(f"{name} {number}" for name, number in describe_versions().items())
    return f"{time.strftime('%Y-%m-%d')}; {describe_machine()}; {versions}"


def without_date(provenance: str) -> str:
    return provenance.partition("; ")[2]


def peer_versions(python: str) -> str:
    """Of the libraries in the environment of an interpreter."""
    return subprocess.run([python, "-c", SAY_VERSIONS], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
