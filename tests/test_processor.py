"""What is asked of TensorFlow before it is loaded."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Whether TensorFlow computes with oneDNN, which it decides once, while it is imported.
ASK = """
import {first}, os
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled(), os.environ["TF_ENABLE_ONEDNN_OPTS"])
"""


@pytest.mark.parametrize(
    ("first", "asked", "answer"),
    [
        ("tf_msgan.training.build_model", None, "True 1"),
        ("tf_msgan.training.build_model", "0", "False 0"),
        ("benchmarks.timing", None, "True 1"),
        ("tuning.step_seconds", None, "True 1"),
    ],
)
def test_onednn_is_on_unless_the_user_turns_it_off(first, asked, answer):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    if asked is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = asked
    result = subprocess.run(
        [sys.executable, "-c", ASK.format(first=first)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.stdout.strip() == answer, result.stderr
