"""A study's chief and its workers."""

import errno
import functools
import multiprocessing
import socket
import time

import pytest

from tests.conftest import free_ports
from tf_msgan.errors import InputError
from tuning import roles
from tuning.roles import name_of_a_worker, read_address, run_workers


def test_addresses():
    assert read_address("10.0.0.1:8000") == ("10.0.0.1", 8000)
    for text in ("8000", "host:", "host:x", "host:70000"):
        with pytest.raises(InputError, match="HOST:PORT"):
            read_address(text)


@pytest.mark.integration
def test_workers_end_with_their_chief():
    """One that has not asked by then would wait for an hour."""
    chief = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))
    chief.start()
    begin = time.monotonic()
    run_workers(functools.partial(time.sleep, 300), ("localhost", 1), 1, chief)
    assert time.monotonic() - begin < 100


def fail_in_a_line():
    raise OSError(errno.ENOSPC, "No space left on device", "trial")


@pytest.mark.integration
def test_a_worker_that_says_why_it_ends_is_not_started_again(capfd):
    with socket.create_server(("localhost", 0)) as chief, pytest.raises(InputError, match="exit status 2; expected"):
        run_workers(fail_in_a_line, chief.getsockname(), 1)
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error")]
    assert errors == ["error: trial: No space left on device"]


def test_workers_of_a_host_have_names_of_their_own():
    address = "localhost", free_ports(1)[0]
    with name_of_a_worker(address) as first:
        with name_of_a_worker(address) as second:
            assert first != second
        with name_of_a_worker(address) as third:
            assert third == second
    with name_of_a_worker(address) as again:
        assert again == first


def test_a_worker_needs_a_chief(monkeypatch):
    monkeypatch.setattr(roles, "CHIEF_SECONDS", 0)
    address = "localhost", free_ports(1)[0]
    with pytest.raises(InputError, match=f"^oracle: found localhost:{address[1]} .*; expected where the chief"):
        run_workers(functools.partial(time.sleep, 300), address, 1)
