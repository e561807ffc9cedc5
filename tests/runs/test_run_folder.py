"""A run's folder: what is let pass, and what a kill at any moment of its making leaves."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tf_msgan.config import Config
from tf_msgan.errors import InputError
from tf_msgan.runs.run_folder import begin_run, check_run_folder, describe_run
from tf_msgan.runs.run_record import read_run_record, recorded_config

EMPTY = {"config": {}, "data": {}, "versions": {}}


class Killed(BaseException):
    pass


def earlier_run(folder):
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "epoch-0001.npz").write_bytes(b"old")
    (folder / "config.json").write_text(json.dumps(EMPTY | {"old": True}))
    (folder / "history.csv").write_text("epoch\n0\n")
    return folder


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def test_takes_the_place_of_an_earlier_run(tmp_path):
    begin_run(earlier_run(tmp_path / "run"), EMPTY | {"new": True}, overwrite=True)
    assert contents(tmp_path / "run") == ["config.json"]
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == EMPTY | {"new": True}


@pytest.mark.parametrize("at", range(20))
def test_a_kill_in_the_making_leaves_what_can_be_overwritten(tmp_path, monkeypatch, at):
    """A kill before call number `at` to the file system: never part of the old run beside a config."""
    run, calls = earlier_run(tmp_path / "run"), 0

    def killing(function):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls > at:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in (
            *((os, "replace"), (os, "fsync"), (shutil, "rmtree"), (Path, "unlink"), (Path, "write_text")),
        ):
            patch.setattr(owner, name, killing(getattr(owner, name)))
        try:
            begin_run(run, EMPTY | {"new": True}, overwrite=True)
        except Killed:
            pass
        else:
            assert at > 5, "no call was counted"
    check_run_folder(run, overwrite=True)
    if (run / "config.json").exists():
        is_old = "old" in (run / "config.json").read_text()
        assert ((run / "checkpoints").exists(), (run / "history.csv").exists()) == (is_old, is_old)
    else:
        with pytest.raises(InputError, match="no such file"):
            read_run_record(run)
    begin_run(run, EMPTY | {"new": True}, overwrite=True)
    assert contents(run) == ["config.json"]


def test_of_two_trainings_in_one_folder_the_first_has_it(tmp_path):
    """Both found it free, and then read their scans."""
    run = tmp_path / "run"
    for _ in range(2):
        check_run_folder(run, overwrite=False)
    begin_run(run, EMPTY | {"first": True}, overwrite=False)
    with pytest.raises(InputError, match="something there already"):
        begin_run(run, {"first": False}, overwrite=False)
    assert json.loads((run / "config.json").read_text()) == EMPTY | {"first": True}


@pytest.mark.parametrize("text", ['{"model_type": "bert"}', "[]", "no JSON"])
def test_a_config_that_is_no_runs_gives_nothing_away(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "thesis.tex").write_text("keep me")
    with pytest.raises(InputError, match=r"no config\.json of a run"):
        begin_run(tmp_path, EMPTY, overwrite=True)
    assert contents(tmp_path) == ["config.json", "thesis.tex"]


def test_what_a_kill_left_half_written_is_no_obstacle(tmp_path):
    (tmp_path / ".tmp-host-1-config.json").write_text("{")
    check_run_folder(tmp_path, overwrite=False)
    begin_run(tmp_path, EMPTY | {"new": True}, overwrite=True)
    assert contents(tmp_path) == ["config.json"]


def test_a_link_in_an_earlier_run_is_removed_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.txt").write_text("keep me")
    run = earlier_run(tmp_path / "run")
    (run / "tensorboard").symlink_to(tmp_path / "elsewhere")
    begin_run(run, {}, overwrite=True)
    assert contents(run) == ["config.json"] and contents(tmp_path / "elsewhere") == ["mine.txt"]


def test_a_config_of_another_version_is_refused(tmp_path, tiny_cohort, tiny_split):
    whole = describe_run(tiny_cohort, tiny_split, Config(), [])
    run = tmp_path / "whole"
    begin_run(run, whole, overwrite=False)
    assert recorded_config(read_run_record(run), run) == Config()
    others = (
        (
            {**whole, "data": {k: v for k, v in whole["data"].items() if k != "subjects_sha256"}},
            ": data: found no subjects_sha256; expected what a RunData has",
        ),
        (
            {name: value for name, value in whole.items() if name != "data"},
            ": found no data; expected what a Run",
        ),
        ({**whole, "data": None}, ": data: found None; expected a JSON object"),
        ({**whole, "data": {**whole["data"], "split": {"train": 3}}}, ": data: split: train: found 3; expected a list"),
        ([], ": found []; expected a JSON object"),
        ({**whole, "config": {"model": "multi-stage"}}, ": found 'preparation'; expected the options of this version"),
        (
            {**whole, "config": {**whole["config"], "loss": {"unheard_of": 1}}},
            ": found LossConfig.__init__() got an unexpected keyword argument 'unheard_of'; expected the options of",
        ),
        (
            {**whole, "config": {**whole["config"], "loss": {**whole["config"]["loss"], "fake": "much"}}},
            ": loss.fake: found 'much'; expected a number",
        ),
        # Without a schema, a field that is missing means other networks.
        (
            {**whole, "schema": 0, "config": {**whole["config"], "network": {"coarse_width": 8}}},
            ": found network without coarse_tissues, discriminator_width, fused, latent, ",
        ),
        ({**whole, "config": None}, ": config: found None; expected a JSON object"),
    )
    for number, (older, found) in enumerate(others):
        run = tmp_path / f"older-{number}"
        begin_run(run, older, overwrite=False)
        with pytest.raises(InputError) as raised:
            recorded_config(read_run_record(run), run)
        assert str(raised.value).startswith(f"{run / 'config.json'}{found}")
