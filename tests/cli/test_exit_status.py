"""What a user did wrong is said in one line."""

import os

import pytest

from tests.conftest import assert_one_line_error, run_command

pytestmark = pytest.mark.integration


def test_names_to_write_are_utf_8(tmp_path):
    name = tmp_path / os.fsdecode(b"run \xff")
    for command in (("tf_msgan.train", "--out", name), ("tf_msgan.phantom", "infant", name, "--subjects", 1)):
        assert_one_line_error(run_command(*command), r"run \udcff", "not UTF-8")
    assert not any(tmp_path.iterdir())
