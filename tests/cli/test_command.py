"""What all commands have in common."""

import argparse
import logging

import pytest

from tests.conftest import call_command
from tf_msgan.cli.command import command
from tf_msgan.errors import InputError, OptionError


def made(work):
    """The main function of a command without options that does `work`."""
    return command(lambda: argparse.ArgumentParser(prog="made"))(work)


class Module:
    """Stands for a command's module."""

    def __init__(self, work):
        self.main = made(work)


def fail(error):
    def work(options):
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("a.nii", "nothing", "a scan"), "error: a.nii: found nothing; expected a scan"),
        (OptionError("training.lr", 0, "above 0"), "error: --lr: found 0; expected above 0"),
        (OptionError("loss.fake", -1, "0 or more"), "error: --set loss.fake: found -1; expected 0 or more"),
        (OSError(28, "No space left on device", "a.nii"), "error: a.nii: No space left on device"),
    ],
)
def test_an_error_is_one_line(error, line, capsys):
    assert call_command(Module(fail(error))) == 2
    assert capsys.readouterr().err == f"{line}\n"


def test_debug_shows_where_an_error_was_raised(capsys):
    assert call_command(Module(fail(InputError("a.nii", "nothing", "a scan"))), "--debug") == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and any("in work" in line for line in lines)
    assert lines[-1] == "error: a.nii: found nothing; expected a scan"


@pytest.mark.parametrize(("options", "shown"), [((), ["of note", "warning: odd"]), (("--verbose",), None)])
def test_what_the_library_logs_is_printed(options, shown, capsys):
    def work(options):
        logger = logging.getLogger("tf_msgan.somewhere")
        logger.debug("a detail of %s", "it")
        logger.info("of note")
        logger.warning("odd")

    assert call_command(Module(work), *options) == 0
    assert capsys.readouterr().out.splitlines() == (shown or ["a detail of it", "of note", "warning: odd"])


def test_ctrl_c_is_said(capsys):
    assert call_command(Module(fail(KeyboardInterrupt()))) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_arguments_are_known_to_the_command():
    seen = []
    assert call_command(Module(lambda options: seen.append(options.arguments)), "--verbose") == 0
    assert seen == [["--verbose"]]
