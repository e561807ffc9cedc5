"""Which option of `tf_msgan.train` changes what."""

import dataclasses
import re

import pytest

from tf_msgan.config import PRESETS
from tf_msgan.train import main, make_parser, read_config


def changed(options):
    """What a config differs in from the preset for scans, `PART.FIELD` by its value."""
    asked = make_parser().parse_args(["--data", "DIR", *map(str, options)])
    config, preset = read_config(asked).to_dict(), PRESETS["best"].to_dict()
    found = {"model": config["model"]} if config["model"] != preset["model"] else {}
    for part in (part for part in preset if part != "model"):
        found |= {f"{part}.{n}": value for n, value in config[part].items() if value != preset[part][n]}
    return found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {}),
        (("--model", "unet"), {"model": "unet"}),
        (("--gan-loss", "wgan-gp"), {"loss.gan": "wgan-gp"}),
        (("--drop-modality", 0.25), {"augmentation.drop_modality": 0.25}),
        (("--epochs", 7), {"training.epochs": 7}),
        (("--steps-per-epoch", 7), {"training.steps_per_epoch": 7}),
        (("--batch-size", 7), {"training.batch_size": 7}),
        (("--patch", 40), {"training.patch": 40}),
        (("--lr", 0.5), {"training.lr": 0.5}),
        (("--schedule", "poly"), {"training.schedule": "poly"}),
        (("--warmup-steps", 7), {"training.warmup_steps": 7}),
        (("--patience", 7), {"training.patience": 7}),
        (("--seed", 7), {"training.seed": 7}),
        (("--precision", "mixed_bfloat16"), {"training.precision": "mixed_bfloat16"}),
        (("--deterministic",), {"training.deterministic": True}),
        (("--jit-compile",), {"training.jit_compile": True}),
        (("--set", "loss.prediction=0.5"), {"loss.prediction": 0.5}),
    ],
)
def test_an_option_changes_its_own_field_alone(options, expected):
    assert changed(options) == expected


@pytest.mark.integration
@pytest.mark.parametrize("labelled", [1, 2])
def test_so_many_train(labelled, tiny_cohort, capsys):
    main(["--data", str(tiny_cohort.root), "--labeled", str(labelled), "--dry-run", "--no-progress"])
    assert re.search(rf"^train +{labelled}  {', '.join('12'[:labelled])}$", capsys.readouterr().out, re.MULTILINE)


def test_presets():
    assert read_config(make_parser().parse_args([])) == PRESETS["demo"]
    assert read_config(make_parser().parse_args(["--data", "DIR"])) == PRESETS["best"]
    for name, preset in PRESETS.items():
        assert read_config(make_parser().parse_args(["--preset", name])) == preset
    # What is asked for beside it goes before it.
    seeded = dataclasses.replace(PRESETS["paper"], model="unet").with_training(seed=3)
    assert read_config(make_parser().parse_args(["--preset", "paper", "--seed", "3", "--model", "unet"])) == seeded
