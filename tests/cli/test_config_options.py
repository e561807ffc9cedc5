"""Options of commands that are made of the fields of a config."""

import argparse

import pytest

from tf_msgan.cli.config_options import add_config_options, asked_values
from tf_msgan.cli.flags import flag_of
from tf_msgan.config import PRESETS, Config, every_option
from tf_msgan.train import make_parser


def parser_of(*names):
    parser = argparse.ArgumentParser()
    groups = {name: parser.add_argument_group(name) for name in ("scans", "training", "machine")}
    add_config_options(groups, *names)
    return parser


def asked_of(options):
    return asked_values(options, of_preparation=True) | asked_values(options, of_preparation=False)


def test_every_flag_sets_its_field():
    for name, declared in every_option().items():
        if declared.flag is None:
            continue
        default = Config().value(name)
        value = declared.choices[-1] if declared.choices else default
        given = [declared.flag] if isinstance(default, bool) else [declared.flag, str(value)]
        asked = asked_of(parser_of().parse_args(given))
        assert asked == {name: True if isinstance(default, bool) else value}
        assert type(asked[name]) is type(default)


def test_nothing_is_asked_for_by_default():
    assert asked_of(parser_of().parse_args([])) == {}
    assert asked_of(make_parser().parse_args([])) == {}


def test_parts_alone():
    assert asked_of(parser_of("preparation").parse_args(["--crop", "brain"])) == {"preparation.crop": "brain"}
    with pytest.raises(SystemExit):
        parser_of("preparation").parse_args(["--lr", "1"])


def test_the_help_says_what_each_preset_has():
    text = " ".join(parser_of().format_help().split())
    training = {name: preset.training for name, preset in PRESETS.items()}
    epochs = ", ".join(f"{name} {each.epochs}" for name, each in training.items())
    assert f"of the run (default: {epochs})" in text
    assert "voxels a side of cubic voxels; others get as many (default: 32)" in text
    assert "(default: detected)" in text


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("training.lr", "--lr"),
        ("loss.gan", "--gan-loss"),
        ("loss.fake", "--set loss.fake"),
        ("model", "--model"),
        ("max_minutes", "--max-minutes"),
    ],
)
def test_flags_of_what_the_library_names(name, flag):
    assert flag_of(name) == flag
