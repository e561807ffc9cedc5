"""Progress bars, where there is a terminal."""

import contextlib
import os
import pty
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.integration


def test_a_bar_on_a_terminal_lets_tensorflow_say_nothing():
    """The first bar is drawn while scans are checked, before TensorFlow is asked for."""
    script = """
import functools
from tf_msgan.cli.terminal_progress import TerminalProgress
show = functools.partial(TerminalProgress(True), "counting")
for done in (1, 2, 3):
    show(done, 3)
"""
    master, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", script]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=terminal, stderr=subprocess.PIPE, text=True, timeout=120
    )
    assert result.returncode == 0 and result.stderr == ""
    os.close(terminal)
    shown = b""
    # The end of a terminal that nobody writes to is an error.
    with contextlib.suppress(OSError):
        while part := os.read(master, 2**16):
            shown += part
    os.close(master)
    assert "counting" in shown.decode() and "3/3" in shown.decode()
