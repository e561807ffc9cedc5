"""Who does the trials of a study: one process, or workers that ask a chief for them (KerasTuner's own protocol)."""

import contextlib
import fcntl
import getpass
import itertools
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.cli.logs import start_logging
from tf_msgan.errors import InputError, OptionError
from tuning.die_with_parent import die_with_parent

# How often a worker that died is started again.
RESTARTS = 3
# How long a worker waits for a chief.
CHIEF_SECONDS = 120


def read_address(text: str) -> tuple[str, int]:
    """Reads HOST:PORT.

    Raises:
        InputError: it is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise OptionError("oracle", text, "HOST:PORT")
    return host, int(port)


def free_address() -> tuple[str, int]:
    """Returns an address on this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return "localhost", probe.getsockname()[1]


def be_chief(search: Callable[[], None], address: tuple[str, int]) -> None:
    """Hands out trials until all are done and every worker knows. The process does none itself.

    Raises:
        InputError: the address cannot be listened on.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            found = f"{':'.join(map(str, address))} ({error.strerror})"
            raise OptionError("oracle", found, "a free port of this machine") from None
    _set_role("chief", address)
    search()


def run_workers(
    search: Callable[[], None], address: tuple[str, int], count: int, chief: BaseProcess | None = None
) -> None:
    """Runs `count` workers of the chief at `address` until they are told that all is done. One that dies is started
    again, and its trial is gone on with, unless it said why in a line. `chief` is the chief's process, if it is of
    this one.

    Raises:
        InputError: one ends with such a line, they die again and again, the chief dies, or there is none.
    """
    context = multiprocessing.get_context("spawn")

    def start(name: str) -> BaseProcess:
        if chief is None:
            wait_for_chief(address)
        worker = context.Process(target=_be_worker, args=(search, address, name))
        worker.start()
        return worker

    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(name_of_a_worker(address)) for _ in range(count)]
        workers: dict[str, BaseProcess] = {}
        restarts = 0

        @stack.callback
        def kill_all() -> None:
            for worker in workers.values():
                worker.kill()

        for name in names:
            workers[name] = start(name)
        while workers:
            time.sleep(0.2)
            if chief and chief.exitcode:
                raise InputError("chief", f"exit status {chief.exitcode}", "one that lives as long as its workers")
            if chief and chief.exitcode == 0:
                # All is done, and a worker that has not asked yet would wait for an answer.
                break
            for name, worker in list(workers.items()):
                if worker.exitcode == 0:
                    del workers[name]
                elif worker.exitcode == 2:
                    raise InputError(f"worker {name}", "exit status 2", "what it said before mended")
                elif worker.exitcode is not None:
                    restarts += 1
                    if restarts > RESTARTS:
                        found = f"{restarts} deaths, the last with exit status {worker.exitcode}"
                        raise InputError(f"worker {name}", found, f"{RESTARTS} at most")
                    workers[name] = start(name)


@contextlib.contextmanager
def name_of_a_worker(address: tuple[str, int]) -> Iterator[str]:
    """Gives a name that no other on this host has; free again when that dies, since the chief keeps a worker's trial
    for it."""
    # KerasTuner takes any name that has "chief" in it for the chief's.
    host = socket.gethostname().replace("chief", "c")
    for number in itertools.count():
        path = Path(tempfile.gettempdir()) / f"tf_msgan-{getpass.getuser()}-{'-'.join(map(str, address))}-{number}.lock"
        with open(path, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"{host}-{number}"
            return


def wait_for_chief(address: tuple[str, int]) -> None:
    """Waits until the chief listens there: it may be started after its workers.

    Raises:
        InputError: it does not within `CHIEF_SECONDS`.
    """
    end = time.monotonic() + CHIEF_SECONDS
    while True:
        try:
            socket.create_connection(address, timeout=10).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                found = f"{':'.join(map(str, address))} ({error.strerror or error})"
                raise OptionError("oracle", found, "where the chief of the study listens") from None
        time.sleep(1)


def run_locally(search: Callable[[], None], count: int) -> None:
    """Runs a chief and `count` workers on this machine."""
    address = free_address()
    chief = multiprocessing.get_context("spawn").Process(target=_be_local_chief, args=(search, address))
    chief.start()
    try:
        run_workers(search, address, count, chief)
        chief.join()
    finally:
        chief.kill()


@exit_on_input_error
def _be_local_chief(search: Callable[[], None], address: tuple[str, int]) -> None:
    die_with_parent()
    start_logging(verbose=False)
    be_chief(search, address)


@exit_on_input_error
def _be_worker(search: Callable[[], None], address: tuple[str, int], name: str) -> None:
    die_with_parent()
    start_logging(verbose=False)
    _set_role(name, address)
    search()


def _set_role(name: str, address: tuple[str, int]) -> None:
    """Tells KerasTuner the process's name and where the chief listens."""
    host, port = address
    os.environ.update(KERASTUNER_TUNER_ID=name, KERASTUNER_ORACLE_IP=host, KERASTUNER_ORACLE_PORT=str(port))
