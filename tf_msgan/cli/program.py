"""How a command was called."""

import sys
from pathlib import Path


def program(module: str) -> str:
    """Returns the name of a command in its usage: `tf-msgan train`, or `python -m tf_msgan.train`."""
    if Path(sys.argv[0]).stem == "tf-msgan":
        return f"tf-msgan {module.rpartition('.')[2]}"
    return f"python -m {module}"
