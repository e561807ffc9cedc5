"""What a comparison keeps, and goes on with."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import flip_bit
from tf_msgan.config import PRESETS, Config, LossConfig, NetworkConfig
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import InputError
from tf_msgan.io.atomic_files import temporary_path
from tf_msgan.runs.machine import describe_machine
from tf_msgan.runs.run_folder import begin_run, describe_run
from tf_msgan.train import make_parser, read_config
from tuning import outcomes
from tuning.cells import ABLATIONS, Cell
from tuning.outcomes import Comparison, begin


def test_each_cell_is_trained_as_it_says(tiny_folder, tmp_path, monkeypatch):
    """What goes to `tf_msgan.train`, and what that makes of it."""
    cohort, split = read_cohort(tiny_folder, "iseg"), Split(("1", "2"), ("3",), ("4", "6"), ("5",))
    comparison = Comparison(
        *(tmp_path / "out", tmp_path / "runs", cohort, None, split),
        *("best", ("training.lr=0.5",), PRESETS["best"], "steps", 400),
    )

    def train(command, real=subprocess.run, **options):
        """Leaves what `tf_msgan.train` does. Others, such as git, run as they do."""
        if "tf_msgan.train" not in command:
            return real(command, **options)
        asked.append(make_parser().parse_args(command[command.index("tf_msgan.train") + 1 :]))
        run = Path(asked[-1].out)
        begin_run(run, describe_run(cohort, split, read_config(asked[-1]), []), overwrite=False)
        evaluation = {"subjects": {"5": {"GM": {"dice": 0.5}}}, "mean": {"GM": {"dice": 0.5}}}
        for name, content in (("evaluation", evaluation), ("seconds", {"5": 9.0})):
            (run / f"{name}.json").write_text(json.dumps(content))
        (run / "history.csv").write_text("epoch,val_dice,seconds\n0,0.25,30\n1,0.75,60\n")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", train)
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
        cell = Cell("multi-stage", 2, 3, part)
        outcome = outcomes.do_cell(comparison, cell)
        (options,) = asked
        assert read_config(options) == expected, part
        roles = json.loads(Path(options.split).read_text())
        assert roles["unlabeled"] == ([] if part == "unlabelled data" else ["4", "6"])
        assert roles["train"] == ["1", "2"] and roles["test"] == ["5"]
        assert outcome == outcomes.read_outcome(comparison, cell)
        steps = 2 * expected.training.steps_per_epoch
        assert (outcome["steps"], outcome["training_minutes"], outcome["volume_seconds"]) == (steps, 1.5, 9.0)
        assert outcome["validation_dice"] == 0.75 and outcome["mean"]["GM"]["dice"] == 0.5
        assert outcome["machine"] == describe_machine()


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
