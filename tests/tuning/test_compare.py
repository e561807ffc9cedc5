"""Comparisons from the command line."""

import json

import pytest

from tests.conftest import TWO_TISSUES, assert_one_line_error, run_command, write_tiny_cohort
from tests.pages import picture
from tf_msgan.config import MODELS
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import read_split
from tf_msgan.runs.machine import describe_machine
from tf_msgan.runs.run_record import read_run_record

pytestmark = pytest.mark.integration

SMALL = [
    *("network.coarse_width=4", "network.noise_width=4", "network.refine_width=4", "network.unet_width=4"),
    *("network.discriminator_width=4", "training.patch=16", "training.batch_size=2", "training.steps_per_epoch=2"),
]


def compare(data, out, *more):
    small = [part for setting in SMALL for part in ("--set", setting)]
    options = ("--data", data, "--out", out, "--seeds", 1, "--budget", "steps", "--amount", 2, *small)
    return run_command("tuning.compare", *options, *more)


@pytest.mark.slow
def test_compare_from_the_command_line(tmp_path):
    """Four models, a smaller number of labels and a reference; stopped after three trainings, and gone on with."""
    write_tiny_cohort(tmp_path / "data")
    out = tmp_path / "out"
    first = compare(tmp_path / "data", out, "--shots", 1, "--max-cells", 3)
    assert first.returncode == 0, first.stdout + first.stderr
    kept = {path: path.read_bytes() for path in (out / "cells").glob("*-seed-*.json")}
    assert len(kept) == 3
    second = compare(tmp_path / "data", out, "--shots", 1)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "3 of 6 trainings are done" in second.stdout
    assert all(path.read_bytes() == content for path, content in kept.items())
    report = (out / "README.md").read_text()
    for word in (
        "python -m tuning.compare --data",
        *MODELS,
        "qda",
        "hmrf",
        "HD95",
        "AVD",
        "multi-stage − unet",
        "share closed",
    ):
        assert word in report, word
    results = json.loads((out / "results.json").read_text())
    assert {row["model"] for row in results["rows"]} == {*MODELS, "qda", "hmrf"}
    # The first table is of the Dice of the whole models with as many labels as there are, and of the references.
    lines = [line.replace("*", "").strip("| ").split(" | ") for line in report.splitlines() if line.startswith("| ")]
    lines = [line for line in lines if line[0] != "---"]
    assert lines[0] == ["model", "CSF", "GM", "WM", "mean"]
    expected = {
        row["model"]: [f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in row["dice"].values()]
        for row in results["rows"]
        if row["labelled"] == 2 and not row["without"]
    }
    assert {name: cells for name, *cells in lines[1 : 1 + len(expected)]} == expected
    # The scan, the truth and four models side by side; a panel for each tissue and their mean.
    assert picture(out / "models.png").shape == (432, 198 * 6, 3)
    assert picture(out / "shots.png").shape == (306, 288 * 4, 3)
    # Another comparison may not be mixed into this one.
    assert_one_line_error(compare(tmp_path / "data", out, "--set", "loss.prediction=0"), "plan.json", "config")


@pytest.mark.slow
def test_all_steps_are_measured_before_the_first_training(tmp_path):
    write_tiny_cohort(tmp_path / "data")
    (tmp_path / "labels.tsv").write_text(TWO_TISSUES)
    scans = ("--labels", tmp_path / "labels.tsv", "--resample", 2.5)
    minutes = ("--budget", "minutes", "--amount", 0.001, "--models", "unet", "multi-stage", "--max-cells", 1)
    result = compare(tmp_path / "data", tmp_path / "out", *scans, *minutes)
    assert result.returncode == 0, result.stdout + result.stderr
    timed = json.loads((tmp_path / "out" / "step-seconds.json").read_text())
    assert timed["machine"] == describe_machine()
    assert timed["models"].keys() == {"unet", "multi-stage"} and timed["models"]["multi-stage"]["game"] > 0
    assert len(list((tmp_path / "out" / "cells").glob("*-seed-*.json"))) == 1
    run = read_run_record(tmp_path / "out" / "runs" / "unet-2-labelled-seed-0")
    assert run.data.labels.tissues == ("CSF", "brain") and run.config["preparation"]["resample"] == 2.5


def test_a_wrong_scan_is_found_before_anything_is_trained(tmp_path):
    data = tmp_path / "data"
    write_tiny_cohort(data)
    cohort = read_cohort(data, "iseg")
    path = cohort.subjects[read_split(None, cohort).test[-1]].label.with_suffix(".img")
    path.write_bytes(b"\x4d" * path.stat().st_size)
    assert_one_line_error(compare(data, tmp_path / "out"), path.stem, "77")
    assert not (tmp_path / "out").exists()


def test_wrong_options(tiny_folder, tmp_path, call):
    def refused(*options, words):
        result = call("tuning.compare", "--data", tiny_folder, "--out", tmp_path / "out", *options)
        assert_one_line_error(result, *words)

    refused("--seeds", 0, words=["--seeds", "found 0"])
    refused("--labeled", 0, words=["--labeled", "found 0"])
    refused("--amount", -1, words=["--amount", "above 0"])
    refused("--amount", "inf", words=["--amount", "found inf"])
    refused("--set", "training.seed=3", words=["--set", "--seeds varies it"])
    refused("--models", "unet", "unet", words=["--models", "each once"])
    refused("--ablate", 0, words=["--ablate", "found 0"])
    refused("--models", "unet", "--ablate", words=["--ablate", "multi-stage among --models"])
    refused("--shots", 9, words=["--shots", "found 9"])
    assert not (tmp_path / "out").exists()
