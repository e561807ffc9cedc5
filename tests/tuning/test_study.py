"""Studies: what they consist of, and whole ones from the command line, killed, spread over workers, and gone wrong."""

import errno
import functools
import json
import math
import multiprocessing
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from tests.conftest import ROOT, TWO_TISSUES, assert_one_line_error, free_ports, run_command, write_tiny_cohort
from tf_msgan.config import MODELS, PRESETS
from tf_msgan.errors import InputError
from tf_msgan.runs.run_folder import read_run_config
from tuning import roles
from tuning.factors import FACTORS, PAPERS_BEST, plan_rows, scale_settings
from tuning.oracles import TableOracle, make_search
from tuning.roles import read_address, run_workers
from tuning.search_space import IDLE, SPACE, draw_values
from tuning.study_report import factor_table
from tuning.trials import Study

PAPER = PRESETS["paper"]
SMALL = ("network.unet_width=4", "training.steps_per_epoch=2", "training.batch_size=2", "training.epochs=2")


def test_tables_are_the_papers():
    rows = plan_rows(FACTORS, None, 2, PAPER)
    assert len(rows) == len({row.name for row in rows}) == 2 * 3 * 4
    assert [row.seed for row in rows] == sorted(row.seed for row in rows)
    # The paper's best is in each table, and trained once.
    assert sum(row.begins_trial for row in rows) == 2 * (4 + 3 + 3)
    best = [row.trial for row in rows if row.seed == 1 and row.value == PAPERS_BEST[row.factor]]
    assert best == ["epochs-80-seed-1"] * 3
    assert [row.trial for row in plan_rows(["lr"], None, 1, PAPER)][-1] == "lr-0.0001-seed-0"
    assert [row.values for row in rows[:4]] == [{"training.epochs": n} for n in (20, 40, 60, 80)]
    # While one is varied, the others stay at the paper's best.
    training = PAPER.training
    assert {"epochs": training.epochs, "lr": training.lr, "batch_size": training.batch_size} == PAPERS_BEST
    assert training.final_lr == 1


def test_values_are_of_their_factors_type():
    (row,) = plan_rows(["epochs"], ["7"], 1, PAPER)
    assert row.value == 7 and isinstance(row.value, int)
    for factor, texts, found in (("epochs", ["2.5"], "2.5"), ("lr", ["-1"], "-1"), ("lr", ["1", "1.0"], "1 1.0")):
        with pytest.raises(InputError, match=f"found .*{found}"):
            plan_rows([factor], texts, 1, PAPER)


def test_scale_shrinks_steps_and_patches_alone():
    assert scale_settings(PAPER, 1) == ()
    scaled = PAPER.with_fields(scale_settings(PAPER, 0.125))
    assert (scaled.training.steps_per_epoch, scaled.training.patch) == (12, 16)
    assert (scaled.training.warmup_steps, scaled.loss.prediction_ramp_steps) == (12, 38)
    assert (
        scaled.with_training(steps_per_epoch=100, patch=32, warmup_steps=100).training == PAPER.training
        and scale_settings(scaled, 0.01)[-1] == "training.patch=16"
    )
    for scale in (0, 1.1, math.nan):
        with pytest.raises(InputError, match="--scale"):
            scale_settings(PAPER, scale)


@pytest.mark.parametrize("model", MODELS)
def test_drawn_values_are_what_a_config_may_be(model):
    assert set(IDLE[model]) < set(SPACE)
    hp = keras_tuner.HyperParameters()
    draw_values(hp, model)
    rng = np.random.default_rng(0)
    for _ in range(20):
        hp.values = {space.name: space.random_sample(int(rng.integers(1000))) for space in hp.space}
        values = draw_values(hp, model)
        config = PRESETS["best"].with_fields([f"{field}={value}" for field, value in values.items()])
        assert config.training.lr == values["training.lr"]
        # Workers get them in single precision.
        hp.values = {name: float(np.float32(v)) if isinstance(v, float) else v for name, v in hp.values.items()}
        assert draw_values(hp, model) == values


def test_a_table_is_handed_out_row_by_row(tmp_path):
    oracle = TableOracle(3)
    oracle._set_project_dir(tmp_path, "table")
    oracle.verbose = 0
    trials = [oracle.create_trial(f"worker {n}") for n in range(4)]
    assert [trial.hyperparameters.values.get("row") for trial in trials] == [0, 1, 2, None]
    assert trials[-1].status == "STOPPED"


@pytest.mark.parametrize("kind", ["hyperband", "bayesian", "random"])
def test_a_search_proposes_the_same_again(kind, tmp_path):
    """So that one that was killed need not trust what KerasTuner had written."""

    def propose(folder):
        oracle = make_search(kind, 6, 9)
        oracle._set_project_dir(folder, "search")
        oracle.verbose = 0
        draw_values(oracle.hyperparameters, "multi-stage")
        found = []
        while (trial := oracle.create_trial("one")).status == "RUNNING":
            found.append(dict(trial.hyperparameters.values))
            oracle.update_trial(trial.trial_id, {"val_dice": math.sin(trial.hyperparameters.values["loss.fake"] * 99)})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return found

    first = propose(tmp_path / "first")
    assert len(first) == 6 and first == propose(tmp_path / "second")


def outcome(dice, validation):
    return {"subjects": {"a": {"GM": {"dice": dice}}}, "val_dice": validation, "minutes": 2.0}


def test_factor_table_by_hand():
    by_value = {20: [outcome(0.7, 0.9), outcome(0.8, 0.9)], 80: [outcome(0.9, 0.8), outcome(0.9, 0.8)]}
    table = factor_table("epochs", by_value, ["GM", "mean"])
    assert table["rows"] == [
        ["20", "0.750 ± 0.071", "0.750 ± 0.071", "0.900 ± 0.000", 2, "2.0"],
        ["80 (their best)", "0.900 ± 0.000", "0.900 ± 0.000", "0.800 ± 0.000", 2, "2.0"],
    ]
    assert table["best"] == [(1, 1), (1, 2), (0, 3)]


def test_addresses():
    assert read_address("10.0.0.1:8000") == ("10.0.0.1", 8000)
    for text in ("8000", "host:", "host:x", "host:70000"):
        with pytest.raises(InputError, match="HOST:PORT"):
            read_address(text)


def test_workers_end_with_their_chief():
    """One that has not asked by then would wait for an hour."""
    chief = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))
    chief.start()
    begin = time.monotonic()
    run_workers(functools.partial(time.sleep, 300), ("localhost", 1), 1, chief)
    assert time.monotonic() - begin < 100


def fail_in_a_line():
    raise OSError(errno.ENOSPC, "No space left on device", "trial")


def test_a_worker_that_says_why_it_ends_is_not_started_again(capfd):
    with socket.create_server(("localhost", 0)) as chief, pytest.raises(InputError, match="exit status 2; expected"):
        run_workers(fail_in_a_line, chief.getsockname(), 1)
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error")]
    assert errors == ["error: trial: No space left on device"]


def test_workers_of_a_host_have_names_of_their_own():
    address = "localhost", free_ports(1)[0]
    with roles._name_of_a_worker(address) as first:
        with roles._name_of_a_worker(address) as second:
            assert first != second
        with roles._name_of_a_worker(address) as third:
            assert third == second
    with roles._name_of_a_worker(address) as again:
        assert again == first


def test_a_worker_needs_a_chief(monkeypatch):
    monkeypatch.setattr(roles, "CHIEF_SECONDS", 0)
    address = "localhost", free_ports(1)[0]
    with pytest.raises(InputError, match=f"--oracle: found localhost:{address[1]} .*; expected where the chief"):
        run_workers(functools.partial(time.sleep, 300), address, 1)


def test_failures_are_tried_again_unless_they_diverged(tmp_path):
    study = Study(tmp_path, None, None, None, "paper", (), PAPER, {})
    outcomes = {
        "good": {"val_dice": 0.5},
        "full": {"error": "runs/full: found No space left on device; expected a training that ends well"},
        "wild": {"error": "runs/wild: found d_loss = nan; expected a finite loss (a lower --lr may help)"},
    }
    for name, outcome in outcomes.items():
        study.write_outcome({"name": name, **outcome})
    study.forget_failures()
    assert [outcome["name"] for outcome in study.read_outcomes()] == ["good", "wild"]


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
    page = (out / "report.html").read_text()
    for words in (
        "python -m tuning.study --model unet",
        "Scaled by",
        "Table V",
        "finite loss",
        "1 of 2 trials ended well",
        "data:image/png",
        f"keras {keras.__version__}, numpy",
    ):
        assert words in page, words
    assert list((out / "tensorboard" / "lr-0.001-seed-0").glob("events*"))


def test_trials_see_the_scans_as_the_study_was_told(whole):
    run = read_run_config(whole[0] / "runs" / "lr-0.001-seed-0")
    assert run["data"]["labels"]["tissues"] == ["CSF", "brain"]
    assert run["config"]["preparation"]["normalise"] == "percentile"


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
