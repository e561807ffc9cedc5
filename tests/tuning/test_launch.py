"""Trainings as processes."""

import fcntl

import pytest

from tf_msgan.errors import InputError
from tuning.launch import Training, complaint


def test_one_process_at_a_time_trains_in_a_folder(tmp_path):
    training = Training(tmp_path / "run", None, None, None, None, "unet", "best", 0, ())
    with open(tmp_path / "run.log", "w") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process"):
            training.run()
    assert [path.name for path in tmp_path.iterdir()] == ["run.log"]


def test_what_a_failed_training_complained_of():
    assert complaint("epoch 1\nerror: run: found nan\nE0000 epoll_wait error: Bad file descriptor\n\n") == (
        "error: run: found nan"
    )
    assert complaint("epoch 1\nKilled\n\n") == "Killed"
    assert complaint("\n") == ""
