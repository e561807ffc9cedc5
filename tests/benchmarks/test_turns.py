"""Commands that are timed in turns, alone on their cores."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.turns import ask, take_turns
from tests.conftest import ROOT
from tf_msgan.errors import InputError

pytestmark = pytest.mark.integration


def test_commands_have_so_many_cores_no_gpu_and_keep_their_memory(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    mine, environment = os.sched_getaffinity(0), dict(os.environ)
    script = """
import json, os
print(json.dumps([len(os.sched_getaffinity(0)), os.environ["CUDA_VISIBLE_DEVICES"], os.environ["MALLOC_MMAP_MAX_"]]))
"""
    for cores in (1, 1000):
        assert ask([sys.executable, "-c", script], cores) == [min(cores, len(mine)), "", "0"]
    with pytest.raises(InputError, match=r"-c raise SystemExit\(3\): found exit status 3; expected 0"):
        ask([sys.executable, "-c", "raise SystemExit(3)"], 1)
    assert os.sched_getaffinity(0) == mine and dict(os.environ) == environment


def test_a_command_ends_with_the_benchmark_that_runs_it(tmp_path):
    """Else a benchmark that is begun again would train beside what the killed one had begun, in the same files."""
    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(60)"
    parent = f"import sys; from benchmarks.turns import ask; ask([sys.executable, '-c', {child!r}], 1)"
    with subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT) as process:
        wait_until(lambda: pid.exists() and pid.read_text().endswith(" "))
        process.kill()
    wait_until(lambda: not is_running(int(pid.read_text())))


def is_running(pid):
    """Whether there is such a process, and not just its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds, seconds=50):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_commands_take_turns_and_medians_are_theirs(tmp_path):
    log = tmp_path / "log"
    code = """
import json, sys
log, name = sys.argv[1:]
open(log, "a").write(name)
turn = open(log).read().count(name)
print("something else")
print(json.dumps({"seconds": {"A": 10.0, "B": 20.0}[name] + turn**2, "count": 7, "format": f"{name}{turn}"}))
"""
    commands = {name: [sys.executable, "-c", code, log, name] for name in "AB"}
    figures = take_turns(commands, 3, 2, say=lambda text: None)
    assert log.read_text() == "ABABAB"
    assert figures == {
        "A": {"seconds": 14.0, "count": 7, "format": "A3"},
        "B": {"seconds": 24.0, "count": 7, "format": "B3"},
    }
