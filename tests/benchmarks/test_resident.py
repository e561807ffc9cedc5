"""Whose memory is measured."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def test_memory_is_of_the_process_alone():
    # A child begins with its parent's peak in `getrusage`.
    child = "from benchmarks.resident import peak_gib; print(peak_gib())"
    parent = f"""
import subprocess, sys
from benchmarks.resident import peak_gib, rest_gib
memory = b"x" * 2**28
full = peak_gib()
del memory
child = subprocess.run([sys.executable, "-c", "{child}"], capture_output=True, text=True, check=True).stdout
print(full, peak_gib(), rest_gib(), child)
"""
    result = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    full, peak, rest, child = map(float, result.stdout.split())
    assert 0.25 < full < 0.5 and 0.25 < peak < 0.5 and rest < 0.25 and 0 < child < 0.1
