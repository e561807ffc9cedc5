"""What a package is besides its code: how it is imported, called and built."""

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter

import pytest

import tf_msgan
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def python(code, **environment):
    """Runs code in a process of its own, without the variables that the tests set."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=plain | environment, capture_output=True, text=True, check=True
    )


@pytest.mark.integration
def test_importing_changes_nothing_but_what_is_documented():
    code = """
import json, logging, os, sys
before = dict(os.environ)
import tf_msgan
changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
from tf_msgan.io import read_volumes
from tf_msgan.evaluation import figures
import matplotlib
heavy = [name for name in ("tensorflow", "keras") if name in sys.modules]
print(json.dumps([changed, heavy, logging.getLogger("nibabel.global").level, "matplotlib.pyplot" in sys.modules,
    matplotlib.rcParams["text.parse_math"]]))
"""
    changed, heavy, level, pyplot, formulas = json.loads(python(code).stdout)
    assert changed == {"TF_ENABLE_ONEDNN_OPTS": "1"} and not heavy
    assert level == 0 and not pyplot and formulas


@pytest.mark.integration
def test_a_variable_of_the_callers_stands():
    code = "import os, tf_msgan; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    assert python(code, TF_ENABLE_ONEDNN_OPTS="0").stdout == "0\n"


@pytest.mark.integration
def test_a_setting_that_comes_too_late_is_warned_of():
    code = """
import sys, types, warnings
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    import tf_msgan
print(*[warning.message for warning in said])
"""
    assert "TF_ENABLE_ONEDNN_OPTS=1 comes too late" in python(code).stdout
    assert python(code, TF_ENABLE_ONEDNN_OPTS="1").stdout == "\n"


def test_the_public_names_are_there():
    assert set(tf_msgan.__all__) <= set(dir(tf_msgan))
    for name in tf_msgan.__all__:
        assert callable(getattr(tf_msgan, name))
    with pytest.raises(AttributeError, match="beauty"):
        _ = tf_msgan.beauty


def test_no_two_files_of_one_name_mean_different_things():
    files = [path for package in ("tf_msgan", "tuning") for path in (ROOT / package).rglob("*.py")]
    names = Counter(path.name for path in files if not path.name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


def test_what_the_extras_install_is_pinned_for_make():
    """And so is all that everybody installs."""
    pinned = {
        line.partition("==")[0].lower()
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
    }
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    wanted = {requirement.partition(">=")[0].lower() for group in groups for requirement in group}
    assert {name for name in wanted if not name.startswith("tf_msgan[")} <= pinned


# TensorFlow decides once, while it is imported, whether it computes with oneDNN.
ASK = """
import {first}, os, tensorflow
print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("first", "asked", "answer"),
    [
        ("tf_msgan.training.build_model", None, True),
        ("tf_msgan.training.build_model", "0", False),
        ("benchmarks.timing", None, True),
        ("tuning.step_seconds", None, True),
    ],
)
def test_onednn_is_on_unless_the_user_turns_it_off(first, asked, answer):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    if asked is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = asked
    # It says so.
    environment["TF_CPP_MIN_LOG_LEVEL"] = "0"
    result = subprocess.run(
        [sys.executable, "-c", ASK.format(first=first)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.stdout == ("1\n" if answer else "0\n"), result.stderr
    assert ("oneDNN custom operations are on" in result.stderr) == answer, result.stderr
