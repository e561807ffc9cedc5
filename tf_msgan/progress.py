"""How far long work has come: what the library tells its caller."""

from collections.abc import Callable

# Called with the name of the work, how many parts of it are done, and how many there are.
Progress = Callable[[str, int, int], None]


def silent(task: str, done: int, total: int) -> None:
    """Shows nothing."""
