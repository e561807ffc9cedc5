"""Several devices, and several workers as real processes, against one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT, assert_one_line_error, free_ports, repeatable_run, run_command
from tf_msgan import train
from tf_msgan.errors import InputError
from tf_msgan.training.strategy import lost_worker_named

pytestmark = pytest.mark.integration

# Trains a tiny model by plain descent, over the strategy named, and writes its weights and history.
BY_SGD = """
import dataclasses, json, sys
import keras, numpy as np
from tests.conftest import *
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.patches.scan_source import hold_scans
from tf_msgan.training import build_model as building, train_run
from tf_msgan.training.strategy import make_strategy

folder, data, strategy, devices, precision = Path(sys.argv[1]), *sys.argv[2:]
config = Config(
    network=NetworkConfig(coarse_width=4, noise_width=4, refine_width=4, discriminator_width=4, latent=4),
    loss=LossConfig(prediction_ramp_steps=0),
    training=TrainingConfig(
        epochs=2,
        steps_per_epoch=2,
        batch_size=4,
        unlabelled_share=1.0,
        patch=16,
        lr=0.01,
        deterministic=True,
        precision=precision,
    ),
)
strategy = make_strategy(strategy, int(devices), config)
cohort = read_cohort(data, "iseg")
def make_optimizer(training, **options):
    sgd = keras.optimizers.SGD(training.lr)
    return keras.optimizers.LossScaleOptimizer(sgd, 2.0**12) if training.precision == "mixed_float16" else sgd
building.make_optimizer = make_optimizer
labelled, unlabelled, validation = (
    hold_scans([load_scan(cohort, id, with_labels) for id in ids])
    for ids, with_labels in ((("1", "2"), True), (("6", "7"), False), (("3",), True))
)
folder.mkdir()
scans = train_run.TrainingScans(labelled, unlabelled, validation)
model = train_run.train_run(folder, scans, cohort.modalities, cohort.labels.tissues, config, strategy=strategy)
np.savez(folder / "weights.npz", **{name: v.numpy() for name, v in model.model_variables().items()})
"""


def history(run):
    """The columns of numbers that do not hang on the clock; NaN before the adversarial phase for what it reports."""
    table = np.genfromtxt(run / "history.csv", delimiter=",", names=True)
    return {name: table[name] for name in table.dtype.names if name != "seconds"}


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("mixed_float16", 1e-3)])
def test_two_logical_devices_equal_one(tiny_cohort, tmp_path, precision, tolerance):
    """With plain descent: Adam would hide a gradient that is too large by the number of devices."""
    for name, devices in (("one", 0), ("mirrored", 2)):
        arguments = (tmp_path / name, tiny_cohort.root, name, devices, precision)
        command = [sys.executable, "-c", BY_SGD, *arguments]
        result = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr[-3000:]
    one, two = (np.load(tmp_path / name / "weights.npz") for name in ("one", "mirrored"))
    for name in one.files:
        assert np.abs(one[name].astype(float) - two[name]).max() <= tolerance, name
    first, second = history(tmp_path / "one"), history(tmp_path / "mirrored")
    for name, values in first.items():
        assert second[name] == pytest.approx(values, rel=100 * tolerance, abs=10 * tolerance, nan_ok=True), name


class Workers:
    """Two processes of `python -m tf_msgan.train --strategy multiworker` on one run folder."""

    def __init__(self, folder, arguments):
        self.logs = [folder / f"worker-{index}.txt" for index in range(2)]
        self.arguments = [*map(str, arguments)]

    def start(self, *more):
        cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
        self.processes = []
        for index, log in enumerate(self.logs):
            task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            command = [sys.executable, "-m", "tf_msgan.train", *self.arguments, "--strategy", "multiworker", *more]
            environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
            with open(log, "w") as file:
                self.processes.append(
                    subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)
                )

    def wait(self):
        return [process.wait(timeout=300) for process in self.processes]

    def digests(self):
        lines = [line for log in self.logs for line in log.read_text().splitlines() if "SHA-256" in line]
        assert len(lines) == 2, [log.read_text()[-2000:] for log in self.logs]
        return [line.split()[-1] for line in lines]


def newest(run):
    return np.load(sorted((run / "checkpoints").glob("epoch-*.npz"))[-1])


@pytest.mark.parametrize("model", ["unet", pytest.param("standard-gan", marks=pytest.mark.slow)])
def test_two_workers_equal_one_process(tiny_cohort, tmp_path, model):
    small = ("--model", model, "--set", "network.unet_width=4")
    options = (*repeatable_run(tiny_cohort.root, tmp_path, 2, batch_size=2), *small)
    workers = Workers(tmp_path, (*options, "--out", tmp_path / "two"))
    workers.start()
    assert workers.wait() == [0, 0], [log.read_text()[-2000:] for log in workers.logs]
    first, second = workers.digests()
    assert first == second
    assert (tmp_path / "two" / "report.html").exists()

    result = run_command("tf_msgan.train", *options, "--out", tmp_path / "one")
    assert result.returncode == 0, result.stderr
    one, two = newest(tmp_path / "one"), newest(tmp_path / "two")
    # The optimisers step as far for a gradient near 0 as for any, and sums of two workers' round otherwise. Four steps
    # of other patches would lie some 1e-4 apart.
    for name in one.files:
        if name != "state" and "optimizer" not in name:
            assert np.abs(one[name].astype(float) - two[name]).max() <= 1e-5, name
    for name, values in history(tmp_path / "one").items():
        assert history(tmp_path / "two")[name] == pytest.approx(values, rel=1e-3, abs=1e-5, nan_ok=True), name


@pytest.mark.slow
def test_a_killed_worker_ends_the_others_and_all_resume(tiny_cohort, tmp_path):
    options = repeatable_run(tiny_cohort.root, tmp_path, 12, batch_size=2)
    whole = Workers(tmp_path, (*options, "--out", tmp_path / "whole"))
    whole.start()
    assert whole.wait() == [0, 0]
    expected = whole.digests()

    workers = Workers(tmp_path, (*options, "--out", tmp_path / "killed"))
    workers.start()
    while not (tmp_path / "killed" / "checkpoints" / "epoch-0003.npz").exists():
        assert workers.processes[0].poll() is None
        time.sleep(0.1)
    workers.processes[1].send_signal(signal.SIGKILL)
    assert workers.wait() == [2, -signal.SIGKILL]
    assert "a worker that is gone" in workers.logs[0].read_text().splitlines()[-1]

    workers.start("--resume")
    assert workers.wait() == [0, 0], [log.read_text()[-2000:] for log in workers.logs]
    assert workers.digests() == expected


def test_wrong_options(tmp_path, tiny_cohort, monkeypatch, capfd):
    begun = (*repeatable_run(tiny_cohort.root, tmp_path, 1, batch_size=4), "--out", tmp_path / "run", "--overwrite")

    # An earlier run, which nothing that is refused may cost.
    earlier = tmp_path / "run" / "config.json"
    earlier.parent.mkdir()
    content = json.dumps({"config": {}, "data": {}, "versions": {}})
    earlier.write_text(content)

    def refused(*options, words, **environment):
        with monkeypatch.context() as patch, pytest.raises(SystemExit, match="2"):
            for name, value in environment.items():
                patch.setenv(name, value)
            train.main([*map(str, (*begun, *options))])
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert all(str(word) in line for word in words), line
        assert earlier.read_text() == content

    refused("--devices", 2, words=["--devices", "mirrored"])
    for task in ("nothing", '{"task": {"type": "worker", "index": 0}}', tf_config("worker", 2), tf_config("chief", 0)):
        refused("--strategy", "multiworker", words=["TF_CONFIG", task], TF_CONFIG=task)
    portless = '{"cluster": {"worker": ["localhost"]}, "task": {"type": "worker", "index": 0}}'
    refused("--strategy", "multiworker", words=["TF_CONFIG", portless], TF_CONFIG=portless)
    refused("--strategy", "multiworker", "--max-minutes", 3, words=["--max-minutes"])
    # TensorFlow splits the CPU before its first operation, or never.
    mirrored = ("tf_msgan.train", *begun, "--strategy", "mirrored", "--devices")
    assert_one_line_error(run_command(*mirrored, 3), "--batch-size", "4", "3 devices")
    assert_one_line_error(run_command(*mirrored, 2, "--jit-compile"), "--jit-compile", "mirrored", "one device")
    with socket.create_server(("localhost", 0)) as taken:
        cluster = {"worker": [f"localhost:{taken.getsockname()[1]}", "localhost:2"]}
        task = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
        several = ("tf_msgan.train", *begun, "--strategy", "multiworker")
        assert_one_line_error(run_command(*several, env={**os.environ, "TF_CONFIG": task}), "TF_CONFIG", "a port")
    assert earlier.read_text() == content


def test_unlabelled_patches_must_divide_only_where_some_are_looked_at(tmp_path, tiny_cohort):
    plan = ("tf_msgan.train", *repeatable_run(tiny_cohort.root, tmp_path, 1, batch_size=4), "--out", tmp_path / "run")
    plan += ("--set", "training.unlabelled_share=0.25", "--strategy", "mirrored", "--devices", 2, "--dry-run")
    assert_one_line_error(run_command(*plan), "--batch-size", "4 labelled patches and 1 unlabelled", "2 devices")
    result = run_command(*plan, "--model", "unet")
    assert result.returncode == 0, result.stderr
    assert "4 labelled a step" in result.stdout


def tf_config(kind, index):
    return json.dumps({"cluster": {"worker": ["localhost:1", "localhost:2"]}, "task": {"type": kind, "index": index}})


def test_a_lost_worker_is_named_of_several_only():
    with pytest.raises(InputError, match=r"a worker that is gone \(no answer\)"), lost_worker_named():
        raise tf.errors.UnavailableError(None, None, "no answer\nand more")
    with pytest.raises(tf.errors.InternalError), lost_worker_named(several_workers=False):
        raise tf.errors.InternalError(None, None, "another reason")
