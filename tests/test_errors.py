"""What a user did wrong crosses processes as it is."""

import pickle

from tf_msgan.errors import InputError


def test_an_input_error_can_be_sent():
    error = InputError("a.nii", "nothing\nat all", "a volume")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "a.nii: found nothing at all; expected a volume"
