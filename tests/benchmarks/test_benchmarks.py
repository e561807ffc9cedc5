"""What the benchmarks' figures stand on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import accuracy, growth_training, limit, report
from benchmarks.flops import count_flops
from benchmarks.operators import operator_shares
from benchmarks.provenance import provenance, without_date
from benchmarks.throughput import compared
from benchmarks.timing import seconds_of_volume
from benchmarks.turns import ask, take_turns
from tests.conftest import ROOT, assert_one_line_error, run_command, write_tiny_cohort
from tf_msgan.errors import InputError


def test_memory_is_of_the_process_alone():
    # A child begins with its parent's peak in `getrusage`.
    child = "from benchmarks.resident import peak_gib; print(peak_gib())"
    parent = f"""
import subprocess, sys
from benchmarks.resident import peak_gib, rest_gib
memory = b"x" * 2**28
full = peak_gib()
del memory
child = subprocess.run([sys.executable, "-c", "{child}"], capture_output=True, text=True, check=True).stdout
print(full, peak_gib(), rest_gib(), child)
"""
    result = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    full, peak, rest, child = map(float, result.stdout.split())
    assert 0.25 < full < 0.5 and 0.25 < peak < 0.5 and rest < 0.25 and 0 < child < 0.1


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


# Stands in for an interpreter with the peers: it draws all as the first tissue.
FAKE_PEERS = f"""#!{sys.executable}
import json, sys
from pathlib import Path
import nibabel as nib
if sys.argv[1] == "-c":
    print("fakes")
    raise SystemExit
module, kind, raw, iterations, threads, *files = sys.argv[2:]
log, raw = Path(__file__).with_suffix(".log"), Path(raw)
labels = json.loads((raw / "dataset.json").read_text())["labels"]
assert labels == {{"background": 0, "CSF": 1, "GM": 2, "WM": 3, "ignore": 4}}, labels
assert sorted(path.name for path in raw.glob("*Tr/*")) == ["1.nii.gz", "1_0000.nii.gz", "1_0001.nii.gz"]
with log.open("a") as lines:
    print(kind, iterations, "and predicts" if files else "", file=lines)
if files:
    folder, state = map(Path, files)
    folder.mkdir()
    # A killed training's lies beside what is made anew.
    assert not state.is_relative_to(raw.parent.parent)
    state.touch()
    for path in raw.glob("imagesTs/*_0000.nii.gz"):
        image = nib.load(path)
        drawn = (image.get_fdata() > 0).astype("uint8")
        nib.save(nib.Nifti1Image(drawn, image.affine), folder / path.name.replace("_0000", ""))
print(json.dumps({{"iterations": int(iterations), "iteration_seconds": 0.5, "patch": [8, 8, 8], "batch": 2}}))
"""


def test_all_trainings_are_timed_and_get_the_steps_of_as_many_minutes(tiny_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "split.json").write_text(
        json.dumps({"train": ["1"], "validation": ["2"], "unlabeled": [], "test": ["3"]})
    )
    peers = tmp_path / "peers"
    peers.write_text(FAKE_PEERS)
    peers.chmod(0o755)
    trained = []

    def train_ours(model, options, steps):
        trained.append((model, steps))
        return {model: {"steps": steps, "mean": {tissue: {"dice": 0.5} for tissue in ("CSF", "GM", "WM")}}}

    seconds = {"labels": 0.3, "game": 0.0, "validation": 1.0}
    monkeypatch.setattr(accuracy, "seconds_of_steps", lambda cohort, split, config: seconds)
    monkeypatch.setattr(accuracy, "train_ours", train_ours)
    options = ["--peers", str(peers), "--data", str(tiny_folder), "--layout", "iseg"]
    options += [
        "--split",
        str(tmp_path / "split.json"),
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "out"),
    ]
    for _ in range(2):
        accuracy.main([*options, "--minutes", "3"])
    # Two epochs of 200 steps and a validation; what is done is not done again.
    assert trained == [("multi-stage", 400), ("unet", 400)] * 2
    kinds = [(peer.kind, peer.timed) for peer in accuracy.PEERS]
    asked = [line.split(maxsplit=2) for line in (tmp_path / "peers.log").read_text().splitlines()]
    assert asked[: 3 * len(kinds)] == [[kind, str(timed)] for kind, timed in kinds] * 3
    assert asked[3 * len(kinds) :] == [[kind, "360", "and predicts"] for kind, _ in kinds]
    assert not list((tmp_path / "runs").glob("*.pt"))
    rows = json.loads((tmp_path / "out" / "accuracy.json").read_text())["rows"]
    assert rows.keys() == {"multi-stage", "unet", *(peer.name for peer in accuracy.PEERS)}
    dice = {tissue: scores["dice"] for tissue, scores in rows["MONAI UNet"]["mean"].items()}
    assert 0 < dice["CSF"] < 1 and dice["GM"] == dice["WM"] == 0
    with pytest.raises(SystemExit):
        accuracy.main([*options, "--minutes", "4"])
    assert "another minutes" in capsys.readouterr().err


def test_operations_of_a_convolution_and_its_gradients():
    kernel = tf.Variable(tf.ones([3, 3, 3, 2, 5]))

    def forward(x):
        return tf.nn.conv3d(x, kernel, [1] * 5, "SAME")

    def backward(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(forward(x) ** 2)
        return tape.gradient(y, [x, kernel])

    spec = tf.TensorSpec([4, 6, 7, 8, 2])
    once = 2 * 4 * 6 * 7 * 8 * 27 * 2 * 5
    assert count_flops(tf.function(forward).get_concrete_function(spec)) == once
    # Forward, to the input, and to the kernel.
    assert count_flops(tf.function(backward).get_concrete_function(spec)) == 3 * once


def test_shares_of_operators_are_of_the_whole():
    x = tf.ones([2, 16, 16, 16, 8])
    kernel = tf.ones([3, 3, 3, 8, 8])
    shares = operator_shares(tf.function(lambda: tf.reduce_sum(tf.nn.conv3d(x + 1, kernel, [1] * 5, "SAME"))), 2)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["convolutions"] > 0.2


def test_u_nets_are_compared_at_equal_precision():
    names = ["U-Net", "multi-stage", "same U-Net, PyTorch", "U-Net, bfloat16", "same U-Net, PyTorch, bfloat16"]
    assert compared(names) == [("U-Net", names[2]), ("U-Net, bfloat16", names[4])]


def test_page_shows_what_was_measured_and_names_what_was_not(tmp_path):
    docs = report.DOCS / "benchmarks.md"
    before = docs.stat().st_mtime_ns
    figures = {"provenance": "some machine", "target": 1.5, "seconds": {"train --help, to its text": 0.71}}
    (tmp_path / "first_minute.json").write_text(json.dumps(figures))
    growth = {"slopes": {"voxels of a patch": 0.97, "patches of a step": 0.91}, "provenance": "some machine"}
    growth["rows"] = [
        {"patch": p, "batch": b, "patches": b + 1, "seconds": p / 100, "peak_gib": 1.0}
        for p, b in ((16, 4), (32, 4), (32, 8))
    ]
    (tmp_path / "growth_training.json").write_text(json.dumps(growth))
    report.main([str(tmp_path)])
    page = (tmp_path / "benchmarks.md").read_text()
    assert "0.71 (at most 1.5: met)" in page and "0.97" in page
    assert "Not measured yet: throughput, pipeline" in page
    assert docs.stat().st_mtime_ns == before
    assert (tmp_path / "growth_training.png").is_file() and not (tmp_path / "throughput.png").exists()


def test_growth_takes_what_is_known_and_measures_the_rest(tmp_path, monkeypatch):
    known = [
        {
            "name": growth_training.MODEL,
            "patch": p,
            "batch": b,
            "patches": b,
            "seconds": b * p**3 / 1e5,
            "peak_gib": 1.0,
        }
        for p, b in ((32, 4), (32, 30), (64, 4))
    ]
    another = {**known[0], "name": "U-Net", "patch": 48, "seconds": 1e9}
    content = {"provenance": f"2000-01-01; {without_date(provenance())}", "rows": [*known, another]}
    (tmp_path / "throughput.json").write_text(json.dumps(content))
    asked = []

    def ask(command, cores):
        patch, batch = command[-2:]
        asked.append((patch, batch))
        return {"patches": batch, "seconds": batch * patch**3 / 1e5, "peak_gib": 1.0}

    monkeypatch.setattr(growth_training, "ask", ask)
    figures = tmp_path / "growth.json"
    growth_training.main(["--known", str(tmp_path / "throughput.json"), "--json", str(figures)])
    assert asked == [(16, 4), (32, 8), (32, 16), (48, 4)]
    slopes = json.loads(figures.read_text())["slopes"]
    assert slopes == {"voxels of a patch": pytest.approx(1), "patches of a step": pytest.approx(1)}
    (tmp_path / "throughput.json").write_text(json.dumps({**content, "provenance": "2000-01-01; some machine"}))
    with pytest.raises(SystemExit, match="measured elsewhere"):
        growth_training.main(["--known", str(tmp_path / "throughput.json")])


def test_a_volume_is_timed_after_a_warm_up_on_its_middle():
    seen = []
    seconds, labels = seconds_of_volume(
        lambda image: seen.append(image) or image.sum(), np.arange(6**3).reshape(6, 6, 6)
    )
    assert seconds > 0 and labels == sum(range(6**3))
    assert [image.shape for image in seen] == [(2, 2, 2), (6, 6, 6)] and seen[0][0, 0, 0] == 2 * 36 + 2 * 6 + 2


@pytest.mark.slow
def test_the_limit_is_measured_of_every_network(tmp_path):
    figures = tmp_path / "limit.json"
    limit.main(["--precisions", "float32", "--patch", "16", "--repeats", "1", "--json", str(figures)])
    rows = json.loads(figures.read_text())["precisions"]["float32"]["rows"]
    measured = {row["name"] for row in rows if row["what"] == "training" and row["gflop"] > 0}
    assert {"coarse", "noise", "encoder", "refine", "discriminator"} <= measured
