"""What a user did wrong is said in one line, and crosses processes as it is."""

import pickle

import pytest
import tensorflow as tf

from tf_msgan.errors import InputError, memory_named, require


def test_an_input_error_can_be_sent():
    error = InputError("a.nii", "nothing\nat all", "a volume")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "a.nii: found nothing at all; expected a volume"


def test_a_full_disk_is_no_lack_of_memory():
    full = tf.errors.ResourceExhaustedError(None, None, "/dev/full; No space left on device")
    with pytest.raises(OSError, match="No space left on device: 'run'"), memory_named("run", "less"):
        raise full


def test_who_lacks_an_extra_is_told_the_command():
    require("numpy", "tuning", "a study")
    with pytest.raises(
        InputError, match=r"a study: found no package no_such_package; expected it: pip install 'tf_msgan\[tuning\]'"
    ):
        require("no_such_package", "tuning", "a study")
