"""What a user did wrong is said in one line, and crosses processes as it is."""

import os
import pickle

from tests.conftest import assert_one_line_error, run_command
from tf_msgan.errors import InputError


def test_an_input_error_can_be_sent():
    error = InputError("a.nii", "nothing\nat all", "a volume")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "a.nii: found nothing at all; expected a volume"


def test_names_to_write_are_utf_8(tmp_path):
    name = tmp_path / os.fsdecode(b"run \xff")
    for command in (("tf_msgan.train", "--out", name), ("tf_msgan.phantom", "infant", name, "--subjects", 1)):
        assert_one_line_error(run_command(*command), r"run \udcff", "not UTF-8")
    assert not any(tmp_path.iterdir())
