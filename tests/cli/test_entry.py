"""The command of commands."""

import importlib
import tomllib

import pytest

import tf_msgan
from tests.conftest import ROOT, assert_one_line_error, run_command
from tf_msgan.cli import entry

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_command_is_a_module():
    for name in entry.COMMANDS:
        assert callable(importlib.import_module(f"tf_msgan.{name}").main)
    assert PROJECT["scripts"] == {"tf-msgan": "tf_msgan.cli.entry:main"}


@pytest.mark.integration
def test_the_command_of_commands(tmp_path):
    assert run_command("tf_msgan", "--version").stdout == f"tf_msgan {tf_msgan.__version__}\n"
    shown = run_command("tf_msgan", "--help")
    assert shown.returncode == 0 and all(name in shown.stdout for name in entry.COMMANDS)
    assert_one_line_error(run_command("tf_msgan", "trian"), "trian", "train")
    assert_one_line_error(run_command("tf_msgan", "evaluate", tmp_path), tmp_path / "config.json", "no such file")
