"""A process that ends with the one that started it, however that ends: an orphan would go on writing into a folder that
a resumed study works in. Only Linux can.

`python -m tuning.die_with_parent PID COMMAND…` becomes such a command of the process PID. (As a `preexec_fn` it would
fork a study's worker with gRPC's threads in it, which sometimes abort the child.)
"""

import ctypes
import os
import signal
import sys


def die_with_parent() -> None:
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def main(parent: str, *command: str) -> None:
    die_with_parent()
    # It may have died before.
    if os.getppid() == int(parent):
        os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
