"""SIGKILL at random moments, and --resume: the run must end as if nothing had happened."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import ROOT, assert_one_line_error, flip_bit, repeatable_run, run_command

pytestmark = pytest.mark.integration

# Between two kills.
MOST_EPOCHS = 5


def start(arguments, log):
    command = [sys.executable, "-m", "tf_msgan.train", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=open(log, "a"), stderr=subprocess.STDOUT)


def epochs_done(run):
    return max((int(path.stem[6:]) for path in run.glob("checkpoints/epoch-*.npz")), default=0)


def kill_and_resume(command, run, log, kills, seed):
    """Trains with `kills` kills between. Returns how many epochs were done at each."""
    draw = random.Random(seed)
    progress = []
    while len(progress) < kills:
        # A kill before there is a config.json leaves nothing to resume.
        begun = (run / "config.json").exists()
        before = epochs_done(run)
        process = start((*command, "--resume") if begun else (*command, "--overwrite"), log)
        # One in four falls into the start; the others some epochs later, in a step, a validation or a write.
        epochs = 0 if draw.random() < 0.25 else draw.randint(1, MOST_EPOCHS)
        while epochs_done(run) < before + epochs:
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(0.01)
        time.sleep(draw.uniform(1, 15) if epochs == 0 else draw.uniform(0, 1.5))
        assert process.poll() is None, "ended before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        progress.append(epochs_done(run))
    return progress


def contents(run):
    newest = sorted((run / "checkpoints").glob("epoch-*.npz"))[-1]
    with np.load(newest) as file:
        arrays = {name: file[name] for name in file.files}
    state = json.loads(arrays.pop("state").tobytes())
    for row in state["history"]:
        del row["seconds"]
    return arrays, state


def assert_same_end(run, reference):
    (arrays, state), (expected, expected_state) = contents(run), contents(reference)
    assert state == expected_state
    assert set(arrays) == set(expected)
    assert any("optimizer" in name for name in arrays) and any("average" in name for name in arrays)
    for name, value in expected.items():
        assert np.array_equal(arrays[name], value), name
    assert (run / "evaluation.json").read_text() == (reference / "evaluation.json").read_text()

    def rows(folder):
        lines = (folder / "history.csv").read_text().splitlines()
        assert lines[0].endswith(",seconds")
        return [line.rpartition(",")[0] for line in lines]

    assert rows(run) == rows(reference)


def check(data, folder, kills, epochs, seed, *model):
    command = (*repeatable_run(data, folder, epochs, batch_size=1), "--warmup-steps", 2, *model)
    reference = run_command("tf_msgan.train", *command, "--out", folder / "whole")
    assert reference.returncode == 0, reference.stderr
    run, log = folder / "killed", folder / "log.txt"
    log.write_text("")
    progress = kill_and_resume((*command, "--out", run), run, log, kills, seed)
    print("epochs done at each kill:", progress)
    assert progress[-1] > 0, "no kill came after an epoch"
    last = run_command("tf_msgan.train", "--resume", "--out", run, "--no-progress")
    assert last.returncode == 0, last.stderr
    assert f"resuming: {progress[-1]} of {epochs} epochs are done" in last.stdout
    assert_same_end(run, folder / "whole")
    return run


def test_a_kill(tiny_folder, tmp_path, call):
    # Two networks and two optimisers; all five and four are killed in the slow test.
    model = ("--model", "standard-gan", "--set", "network.unet_width=4")
    run = check(tiny_folder, tmp_path, 1, 12, 2, *model)

    # What is not gone on with.
    resume, out = ("tf_msgan.train", "--resume"), ("--out", run)
    split = json.loads((tmp_path / "split.json").read_text())
    (tmp_path / "other.json").write_text(json.dumps({**split, "train": ["1"]}))
    for options, words in (
        ((), ("--out", "nothing")),
        (("--out", tmp_path / "none"), ("config.json", "no such file")),
        ((*out, "--overwrite"), ("--resume", "--overwrite")),
        ((*out, "--lr", "0.5"), ("--lr", "0.5", "0.003")),
        ((*out, "--preset", "paper"), ("--preset", "paper")),
        ((*out, "--split", tmp_path / "other.json"), ("--split", "other.json", "the split of")),
        ((*out, "--labeled", 1), ("--labeled 1", "the split of")),
        ((*out, "--layout", "albert"), ("--layout", "albert", "iseg")),
    ):
        assert_one_line_error(call(*resume, *options), *words)

    # All checkpoints are damaged, and then the data too.
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(b"no checkpoint")
    assert_one_line_error(call(*resume, *out), "no checkpoint that can be read")
    flip_bit(tiny_folder / "subject-6-T1.img")
    assert_one_line_error(call(*resume, *out), "other files for subject 6")


@pytest.mark.slow
def test_twenty_kills(tiny_cohort, tmp_path):
    run = check(tiny_cohort.root, tmp_path, kills=20, epochs=140, seed=2)

    # The newest checkpoint is damaged: it is said, and the older one serves. The command may be repeated as it was.
    flip_bit(sorted((run / "checkpoints").iterdir())[-1])
    command = repeatable_run(tiny_cohort.root, tmp_path, 140, batch_size=1)
    result = run_command("tf_msgan.train", *command, "--warmup-steps", 2, "--out", run, "--resume")
    assert result.returncode == 0, result.stderr
    assert "epoch-0140.npz is damaged" in result.stdout and "resuming: 139 of 140" in result.stdout
    assert_same_end(run, tmp_path / "whole")
