"""What a benchmark lacks is said in a line."""

import sys

import pytest

from tests.conftest import assert_one_line_error, run_command, write_tiny_cohort

pytestmark = pytest.mark.integration


def test_what_a_command_lacks_is_one_line(tmp_path):
    result = run_command("benchmarks.growth_volume", tmp_path / "run")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    # Before it are TensorFlow's own words.
    assert result.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'run'}")
    scans = ("--data", tmp_path, "--runs", tmp_path / "runs", "--out", tmp_path / "out")
    write_tiny_cohort(tmp_path, labelled=7)
    lacking = ("--peers", sys.executable, "--layout", "iseg", "--split", "few-shot")
    assert_one_line_error(run_command("benchmarks.accuracy", *scans, *lacking), sys.executable, "requirements-peers")
    assert not (tmp_path / "out").exists()
