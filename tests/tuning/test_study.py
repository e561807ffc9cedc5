"""Whole studies from the command line, killed, spread over workers, and gone wrong."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.conftest import ROOT, TWO_TISSUES, assert_one_line_error, free_ports, run_command, write_tiny_cohort
from tests.pages import Page, embedded, numbers
from tf_msgan.runs.run_record import read_run_record

pytestmark = pytest.mark.integration

SMALL = ("network.unet_width=4", "training.steps_per_epoch=2", "training.batch_size=2", "training.epochs=2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "data"
    write_tiny_cohort(folder)
    # Other tissues than the layout's own.
    (folder / "labels.tsv").write_text(TWO_TISSUES)
    return folder


def command(data, out, *more):
    small = [part for setting in SMALL for part in ("--set", setting)]
    scans = ("--data", data, "--labels", data / "labels.tsv", "--normalise", "percentile")
    return ("--model", "unet", *scans, "--scale", 0.05, "--out", out, *small, "--no-progress", *more)


def results(out):
    """What must not hang on who did the trials, or when."""
    trials = json.loads((out / "results.json").read_text())["trials"]
    timed = ("minutes", "machine", "versions", "git")
    return {name: {key: value for key, value in of.items() if key not in timed} for name, of in trials.items()}


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A study of two learning rates, of which one goes wrong, and what the command printed."""
    out = tmp_path_factory.mktemp("study") / "whole"
    result = run_command("tuning.study", *command(data, out, "--factor", "lr", "--values", "1e-3", "1e30"))
    assert result.returncode == 0, result.stdout + result.stderr
    return out, result


def test_a_trial_that_goes_wrong_is_recorded_and_the_others_go_on(whole):
    out, result = whole
    trials = results(out)
    assert set(trials) == {"lr-0.001-seed-0", "lr-1e+30-seed-0"}
    assert "finite loss" in trials["lr-1e+30-seed-0"]["error"]
    assert 0 <= trials["lr-0.001-seed-0"]["val_dice"] <= 1
    assert "Learning rate (Table V)" in result.stdout and "failed: lr-1e+30-seed-0" in result.stdout
    page, good = Page((out / "report.html").read_text()), trials["lr-0.001-seed-0"]
    (table,) = page.tables
    assert table[0] == ["lr", "CSF", "brain", "mean", "validation", "seeds", "minutes"]
    ((value, figures),) = map(numbers, table[1:])
    subjects = good["subjects"].values()
    dice = [np.mean([scores[tissue]["dice"] for scores in subjects]) for tissue in ("CSF", "brain")]
    assert value == "0.001" and figures[:4] == pytest.approx([*dice, np.mean(dice), good["val_dice"]], abs=0.0006)
    assert figures[4] == 1 and figures[5] > 0
    assert page.headings[:3] == ["Study", "Learning rate (Table V)", "Failed"]
    failed = f"lr-1e+30-seed-0: {trials['lr-1e+30-seed-0']['error']}"
    for words in (
        "python -m tuning.study --model unet",
        "Scaled by 0.05: 2 steps an epoch and patches of",
        "1 of 2 trials ended well",
        f"keras {keras.__version__}, numpy",
        " ".join(failed.split()),
    ):
        assert words in page.text, words
    # A picture of the factor and one of the curves, panels of 3.2 × 3.4 inches and 9 × 4.5, at 90 dots an inch.
    assert [embedded(source).shape for source in page.pictures.values()] == [(306, 864, 3), (405, 810, 3)]
    assert list((out / "tensorboard" / "lr-0.001-seed-0").glob("events*"))


def test_trials_see_the_scans_as_the_study_was_told(whole):
    run = read_run_record(whole[0] / "runs" / "lr-0.001-seed-0")
    assert run.data.labels.tissues == ("CSF", "brain")
    assert run.config["preparation"]["normalise"] == "percentile"


def test_a_study_in_the_way(whole, data, call):
    out, _ = whole
    same = command(data, out, "--factor", "lr", "--values", "1e-3", "1e30")
    assert_one_line_error(call("tuning.study", *same), out, "--resume")
    other = command(data, out, "--factor", "lr", "--values", "1e-2", "--resume")
    assert_one_line_error(call("tuning.study", *other), "study.json", "rows")
    kept = {path: path.read_bytes() for path in (out / "trials").iterdir()}
    again = run_command("tuning.study", *same, "--resume")
    assert again.returncode == 0 and "training lr" not in again.stdout
    assert kept == {path: path.read_bytes() for path in (out / "trials").iterdir()}


def test_killed_in_mid_trial(whole, data, tmp_path):
    """SIGKILL while a trial trains: its training ends too, and the study ends with what it is in the whole one."""
    out = tmp_path / "killed"
    arguments = command(data, out, "--factor", "lr", "--values", "1e-3")
    start = [sys.executable, "-m", "tuning.study", *map(str, arguments)]
    process = subprocess.Popen(start, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = out / "runs" / "lr-0.001-seed-0.log"
    while not (log.exists() and "parameters" in log.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    trainings = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(trainings) == 1
    wait_for(lambda: not alive(trainings[0]))
    assert not (out / "trials").exists()
    result = run_command("tuning.study", *arguments, "--resume")
    assert result.returncode == 0, result.stdout + result.stderr
    (trial,) = strip_paths(results(out), out).items()
    assert trial in strip_paths(results(whole[0]), whole[0]).items()


@pytest.mark.slow
def test_a_chief_and_two_workers(whole, data, tmp_path):
    out = tmp_path / "spread"
    asked = command(data, out, "--factor", "lr", "--values", "1e-3", "1e30", "--local-workers", 2)
    result = run_command("tuning.study", *asked)
    assert result.returncode == 0, result.stdout + result.stderr
    assert strip_paths(results(out), out) == strip_paths(results(whole[0]), whole[0])


@pytest.mark.slow
def test_roles_and_a_killed_worker(whole, data, tmp_path):
    """A chief and a worker that are started apart, the worker first; it dies, and another takes its trial."""
    out = tmp_path / "roles"
    address = f"localhost:{free_ports(1)[0]}"
    asked = command(data, out, "--factor", "lr", "--values", "1e-3", "1e30", "--oracle", address)

    def begin(role):
        start = [sys.executable, "-m", "tuning.study", *map(str, asked), "--role", role]
        return subprocess.Popen(start, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    worker = begin("worker")
    # So long it takes to its first look for the chief, and some more.
    time.sleep(20)
    assert worker.poll() is None and not out.exists()
    chief = begin("chief")
    wait_for(lambda: (out / "runs" / "lr-0.001-seed-0").exists())
    worker.kill()
    worker.wait()
    worker = begin("worker")
    assert worker.wait(timeout=300) == 0, worker.stderr.read()
    assert chief.wait(timeout=60) == 0, chief.stderr.read()
    assert strip_paths(results(out), out) == strip_paths(results(whole[0]), whole[0])


def test_wrong_options(data, tmp_path, call):
    def refused(*options, words, call=call):
        assert_one_line_error(call("tuning.study", *command(data, tmp_path / "out", *options)), *words)

    refused(words=["--factor and --search", "neither"])
    refused("--factor", "lr", "--search", "random", words=["--factor and --search", "both"])
    refused("--factor", "all", "--values", 3, words=["--values", "--factor"])
    refused("--factor", "lr", "--role", "chief", words=["--oracle"])
    refused("--factor", "lr", "--role", "chief", "--oracle", "here", words=["--oracle", "HOST:PORT"])
    refused("--factor", "lr", "--workers", 2, words=["--workers", "--role worker"])
    refused("--factor", "lr", "--resume", words=["study.json", "no such file"], call=run_command)
    refused("--factor", "epochs", "--values", "x", words=["training.epochs=x"])
    refused("--factor", "lr", "--set", "training.seed=1", words=["--set", "--seeds varies it"])
    assert not (tmp_path / "out").exists()


def strip_paths(trials, out):
    return json.loads(json.dumps(trials).replace(str(out), "OUT"))


def wait_for(condition, seconds=120):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end
        time.sleep(0.05)


def children(pid):
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid):
    """Nobody may have asked yet how a dead process ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
