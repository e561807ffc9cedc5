"""Phantoms on disk."""

import pytest

from tests.conftest import run_command


def draw(preset, folder, subjects):
    """A cohort at spacing 2, seed 3, drawn by the command."""
    result = run_command("tf_msgan.phantom", preset, folder, "--subjects", subjects, "--spacing", 2, "--seed", 3)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="package")
def adult(tmp_path_factory):
    """A cohort of one subject."""
    return draw("adult", tmp_path_factory.mktemp("phantoms") / "adult", 1)
