"""Comparisons: what they consist of, their statistics, and one from the command line."""

import dataclasses
import fcntl
import json
import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from tests.conftest import TWO_TISSUES, assert_one_line_error, flip_bit, run_command, write_tiny_cohort
from tf_msgan.config import MODELS, PRESETS, Config, LossConfig, NetworkConfig
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split, read_split
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import temporary_path
from tf_msgan.runs.machine import describe_machine
from tf_msgan.runs.run_folder import read_run_config
from tf_msgan.train import parse as parse_training
from tf_msgan.train import read_config
from tuning import outcomes
from tuning.cells import ABLATIONS, Cell, parts_of, plan_cells, split_of
from tuning.launch import Training, complaint
from tuning.outcomes import Comparison, begin
from tuning.statistics import METRICS, Difference, gap_closed, paired, same_seeds, summary, values
from tuning.step_seconds import epochs_within
from tuning.tables import change, format_tables


def outcome(*dice, seed=0, **more):
    """An outcome of subjects a, b, … with such Dice of GM, and 0.1 less of WM; every other metric is 1."""

    def scores(value):
        return {"dice": value, **{metric: 1.0 for metric in METRICS if metric != "dice"}}

    subjects = {id: {"GM": scores(value), "WM": scores(value - 0.1)} for id, value in zip("abcdef", dice, strict=False)}
    return {
        "subjects": subjects,
        "volume_seconds": 2.0,
        "training_minutes": 3.0,
        "steps": 10,
        "machine": "two cores",
        "cell": {"seed": seed},
        **more,
    }


UNTIMED = {"machine": None, "models": {}}


def test_cells_are_planned_seed_by_seed():
    assert parts_of(PRESETS["best"]) == list(ABLATIONS)
    # It makes no coarse tissues; without them it would be trained twice.
    assert "coarse tissues" not in parts_of(PRESETS["paper"])
    cells = plan_cells(MODELS, 2, [1, 9], 2, ["EMA", "stage 2"])
    assert len(cells) == len(set(cells)) == 2 * (4 + 2 * 2 + 2)
    assert len({cell.without for cell in cells}) == 3
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.model for cell in cells if cell.labeled != 2} == {MODELS[0], MODELS[-1]}
    once = plan_cells(MODELS, 2, [1, 9], 2, ["EMA", "stage 2"], 1)
    assert once == [cell for cell in cells if not (cell.without and cell.seed)]


def test_splits_of_cells(tiny_folder):
    cohort = read_cohort(tiny_folder, "iseg")
    split = Split(("1", "2"), ("3",), ("4", "6", "7"), ("5",))
    two, one, three = (split_of(Cell("unet", n, 0), cohort, split) for n in (2, 1, 3))
    assert two == split
    # The second labelled subject plays no role.
    assert (one.train, one.unlabeled) == (("1",), split.unlabeled)
    assert (three.train, three.unlabeled) == (("1", "2", "4"), ("6", "7"))
    assert {s.test for s in (one, two, three)} == {("5",)}
    assert split_of(Cell("multi-stage", 2, 0, "unlabelled data"), cohort, split).unlabeled == ()
    with pytest.raises(InputError, match="1 to 3: so many have labels"):
        split_of(Cell("unet", 4, 0), cohort, split)


def test_means_are_over_seeds_and_subjects():
    outcomes = [outcome(0.8, 0.9), outcome(0.7, 0.6)]
    assert values(outcomes, "GM", "dice").tolist() == [0.8, 0.9, 0.7, 0.6]
    assert summary(outcomes, "GM", "dice") == pytest.approx((0.75, math.sqrt(0.05 / 3)))
    assert summary(outcomes, "mean", "dice")[0] == pytest.approx(0.7)
    assert summary([outcome(0.8)], "GM", "dice") == (0.8, 0.0)


def test_a_small_p_is_not_printed_as_none():
    assert change(Difference(0.0123, 13, 13, 0.00049)) == "+0.0123 (13 of 13; p < 0.001)"
    assert change(Difference(-0.001, 1, 4, 0.1251)) == "-0.0010 (1 of 4; p 0.125)"


def test_differences_are_paired():
    ours = [outcome(0.8, 0.9, 0.5), outcome(0.7, 0.62, 0.5, seed=1), outcome(0.1, 0.1, 0.1, seed=2)]
    theirs = [outcome(0.7, 0.85, 0.56), outcome(0.69, 0.6, 0.52, seed=1)]
    found = paired(ours, theirs, "GM", "dice")
    # A subject counts once, however many seeds there are.
    of_subjects = [(0.1 + 0.01) / 2, (0.05 + 0.02) / 2, (-0.06 - 0.02) / 2]
    assert found.mean == pytest.approx(np.mean(of_subjects))
    assert (found.above, found.subjects) == (2, 3)
    assert found.p == pytest.approx(wilcoxon(of_subjects).pvalue) == pytest.approx(0.75)
    assert paired(ours, ours, "GM", "dice") == (0.0, 0, 3, 1.0)
    reference = outcome(0.7, 0.7, 0.7)
    del reference["cell"]
    with_reference = paired(ours[:2], [reference], "GM", "dice")
    assert with_reference.mean == pytest.approx(np.mean([0.1, 0.2, -0.2, 0, -0.08, -0.2]))
    assert with_reference.subjects == 3


def test_gap_by_hand():
    assert gap_closed(0.8, 0.9, 0.88) == pytest.approx(0.8)
    assert gap_closed(0.8, 0.9, 0.7) == pytest.approx(-1)


def test_one_process_at_a_time_trains_in_a_folder(tmp_path):
    training = Training(tmp_path / "run", None, None, None, None, "unet", "best", 0, ())
    with open(tmp_path / "run.log", "w") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process"):
            training.run()
    assert [path.name for path in tmp_path.iterdir()] == ["run.log"]


def test_what_a_failed_training_complained_of():
    assert complaint("epoch 1\nerror: run: found nan\nE0000 epoll_wait error: Bad file descriptor\n\n") == (
        "error: run: found nan"
    )
    assert complaint("epoch 1\nKilled\n\n") == "Killed"
    assert complaint("\n") == ""


def test_equal_minutes():
    config = Config().with_training(steps_per_epoch=100, labels_first=0.8)
    plain, game = ({"labels": 0.5, "game": game, "validation": 10.0} for game in (0.0, 2.0))
    assert epochs_within(10, config, plain) == 10
    assert epochs_within(0.1, config, plain) == 1
    # Five epochs, the last of them the game's: 4 × 60 + 210 s; a sixth would be one of labels more.
    assert epochs_within(450 / 60, config, game) == 5
    assert epochs_within(449 / 60, config, game) == 4
    assert epochs_within(510 / 60, config, game) == 6


def test_tables_tell_the_best_the_gap_and_the_ablation():
    groups = {
        ("unet", 2, ""): [outcome(0.8, 0.82)],
        ("multi-stage", 2, ""): [
            outcome(0.9, 0.92),
            outcome(0.9, 0.92, seed=1, machine="a GPU", training_minutes=1.0, volume_seconds=0.5),
        ],
        ("unet", 9, ""): [outcome(0.92, 0.94)],
        ("multi-stage", 2, "EMA"): [outcome(0.85, 0.87)],
    }
    timed = {"machine": "a laptop", "models": {"unet": {"labels": 0.25, "game": 0.0, "validation": 1.0}}}
    text = format_tables(groups, ("GM", "WM"), 2, timed)
    assert "Steps were timed on a laptop." in text
    assert "| multi-stage | **0.910 ± 0.014** | **0.810 ± 0.014** |" in text
    assert "| 2 | GM | 0.8100 | 0.9300 | 0.9100 | +0.1200 | 0.83 |" in text
    small = format_tables({**groups, ("unet", 9, ""): [outcome(0.804, 0.824)]}, ("GM", "WM"), 2, UNTIMED)
    assert "| 2 | GM | 0.8100 | 0.8140 | 0.9100 | +0.0040 | – |" in small and "Steps were timed" not in small
    assert "–: a gap below 0.005" in small and "–: a gap" not in text
    shared = format_tables({key: [outcome(0.8)] for key in groups}, ("GM", "WM"), 2, UNTIMED)
    assert "| multi-stage | 0.800 ± 0.000 |" in shared and "**" not in shared
    assert "| without EMA | 0.8600 ± 0.0141 |" in text
    assert "multi-stage − unet | +0.1000" in text
    assert "| unet | 10 | 0.25 | – | 3.0 | 2.0 | two cores |" in text
    # Seconds of two machines have no mean.
    for row in ("3.0 | 2.0 | two cores", "1.0 | 0.5 | a GPU"):
        assert f"| multi-stage | 10 | – | – | {row} |" in text


def test_rows_of_a_table_are_of_the_same_seeds():
    reference = {"subjects": outcome(0.5)["subjects"], "machine": "two cores", "volume_seconds": 1.0}
    seeds = [outcome(dice, seed=seed) for seed, dice in enumerate((0.8, 0.9, 0.95))]
    found = same_seeds({"unet": seeds[:2], "multi-stage": [outcome(0.82, seed=2), outcome(0.82)], "qda": [reference]})
    assert found == {"unet": seeds[:1], "multi-stage": [outcome(0.82)], "qda": [reference]}
    assert same_seeds({"unet": seeds[:1], "multi-stage": seeds[1:]}) == same_seeds({"qda": [reference]}) == {}

    # With its second seed U-Net would seem ahead.
    groups = {("qda", 2, ""): [reference], ("unet", 2, ""): seeds[:2], ("multi-stage", 2, ""): [outcome(0.82)]}
    groups |= {("unet", 9, ""): [outcome(0.84, seed=1)], ("multi-stage", 2, "EMA"): [outcome(0.7, seed=1)]}
    text = format_tables(groups, ("GM", "WM"), 2, UNTIMED)
    assert "### Dice (seed 0)" in text and "| multi-stage | **0.820 ± 0.000** |" in text
    assert "| multi-stage − unet | +0.0200" in text
    # What has no seed in common is not set side by side.
    assert "number of labelled" not in text and "Ablation" not in text


def test_each_cell_is_trained_as_it_says(tiny_folder, tmp_path, monkeypatch):
    """What goes to `tf_msgan.train`, and what that makes of it."""
    cohort, split = read_cohort(tiny_folder, "iseg"), Split(("1", "2"), ("3",), ("4", "6"), ("5",))
    comparison = Comparison(
        *(tmp_path / "out", tmp_path / "runs", cohort, None, split),
        *("best", ("training.lr=0.5",), PRESETS["best"], "steps", 400),
    )
    monkeypatch.setattr(Training, "run", lambda training: asked.append(training))
    monkeypatch.setattr(outcomes, "_outcome", lambda cell, run: {})
    whole = PRESETS["best"].with_training(lr=0.5, epochs=2, seed=3)
    without = {
        "": whole,
        "unlabelled data": whole,
        "stage 1": dataclasses.replace(whole, network=NetworkConfig(outlines=False)),
        "coarse tissues": dataclasses.replace(whole, network=NetworkConfig(coarse_tissues=False)),
        "stage 2": dataclasses.replace(whole, network=NetworkConfig(variants=False)),
        "prediction term": dataclasses.replace(whole, loss=LossConfig(prediction=0.0)),
        "feature matching": dataclasses.replace(whole, loss=LossConfig(feature_matching=0.0)),
        "coarse perturbation": dataclasses.replace(whole, loss=LossConfig(perturbation=0.0)),
        "EMA": whole.with_training(ema_decay=0.0),
    }
    assert list(without) == ["", *ABLATIONS]
    for part, expected in without.items():
        asked = []
        outcomes.do_cell(comparison, Cell("multi-stage", 2, 3, part))
        (training,) = asked
        assert training.split.unlabeled == (() if part == "unlabelled data" else ("4", "6"))
        command = training._command(tmp_path / "split.json")
        options = parse_training(command[command.index("tf_msgan.train") + 1 :])
        assert read_config(options) == expected, part
        assert options.split == str(tmp_path / "split.json")


def test_a_comparison_is_of_one_set_of_scans_and_one_config(tiny_folder, tmp_path):
    def comparison(amount=2, config=None):
        cohort, split = read_cohort(tiny_folder, "iseg"), Split(("1",), (), ("4", "6"), ("5",))
        return Comparison(
            *(tmp_path / "out", tmp_path / "runs", cohort, None, split),
            *("best", (), config or Config(), "steps", amount),
        )

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("of somebody else")
    with pytest.raises(InputError, match=r"something there already, and no plan\.json"):
        begin(comparison())
    # What a kill leaves of the first write is nobody's.
    (tmp_path / "out" / "README.md").rename(temporary_path(tmp_path / "out" / "plan.json"))
    begin(comparison())
    begin(comparison())
    with pytest.raises(InputError, match="another amount"):
        begin(comparison(amount=3))
    with pytest.raises(InputError, match="another config"):
        begin(comparison(config=Config().with_fields(["loss.prediction=0"])))
    flip_bit(tiny_folder / "subject-4-label.img")
    with pytest.raises(InputError, match="another spare_labels_sha256;"):
        begin(comparison())
    flip_bit(tiny_folder / "subject-5-T1.img")
    with pytest.raises(InputError, match="another sha256, spare_labels_sha256"):
        begin(comparison())


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
    assert all((out / name).stat().st_size > 10_000 for name in ("models.png", "shots.png"))
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
    run = read_run_config(tmp_path / "out" / "runs" / "unet-2-labelled-seed-0")
    assert run["data"]["labels"]["tissues"] == ["CSF", "brain"] and run["config"]["preparation"]["resample"] == 2.5


def test_all_models_are_timed_on_one_machine(tiny_folder, tmp_path, monkeypatch):
    cohort, split = read_cohort(tiny_folder, "iseg"), Split(("1",), (), ("4", "6"), ("5",))
    comparison = Comparison(tmp_path, tmp_path, cohort, None, split, "best", (), Config(), "minutes", 1)
    asked = []

    def measure(jobs, show):
        asked.append(list(jobs))
        return {name: {"labels": 0.1, "game": 0.0, "validation": 1.0} for name in jobs}

    monkeypatch.setattr(outcomes, "measure_in_turns", measure)
    # An ablation gets the whole model's steps.
    multi_stage = [Cell("multi-stage", 1, 0), Cell("multi-stage", 1, 0, "EMA"), Cell("multi-stage", 2, 1)]
    for machine, cells in (("A", multi_stage), ("B", multi_stage), ("A", [Cell("unet", 1, 0)])):
        monkeypatch.setattr(outcomes, "describe_machine", lambda machine=machine: machine)
        outcomes.measure_steps(comparison, cells, print)
    assert asked == [["multi-stage"], ["unet"]]
    monkeypatch.setattr(outcomes, "describe_machine", lambda: "B")
    with pytest.raises(InputError, match=r"step-seconds\.json.*no steps of one-stage.*timed on A.*not B"):
        outcomes.measure_steps(comparison, [*multi_stage, Cell("one-stage", 1, 0)], print)


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
