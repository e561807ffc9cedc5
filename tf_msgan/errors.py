"""What bad input raises."""

import contextlib
import errno
import importlib.util
from collections.abc import Iterator


class InputError(ValueError):
    """Bad input. Its text is one line that names the file, what was found and what was expected."""

    def __init__(self, where: object, found: object, expected: object) -> None:
        # Exceptions cross processes by their arguments.
        super().__init__(where, found, expected)

    def __str__(self) -> str:
        where, found, expected = self.args
        return f"{where}: found {found}; expected {expected}".replace("\n", " ")


class OptionError(InputError):
    """A wrong option: a field of a config, called `PART.FIELD`, or an argument of a function, by its name."""


def require(package: str, extra: str, purpose: str) -> None:
    """Refuses to go on without a package that not everybody installs.

    Args:
        package: as it is imported.
        extra: of this project, which installs it.
        purpose: what it is wanted for.

    Raises:
        InputError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(purpose, f"no package {package}", f"it: pip install 'tf_msgan[{extra}]'")


def check_name(path: object) -> None:
    """Refuses names that are not UTF-8: no report could hold them.

    Raises:
        InputError: `path`, or a part of it, is one.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(ascii(str(path)), "a name that is not UTF-8", "one that is") from None


@contextlib.contextmanager
def memory_named(where: object, expected: str) -> Iterator[None]:
    """Makes an `InputError` of what NumPy and TensorFlow raise when there is no memory left, and an `OSError` of what
    TensorFlow raises when there is no room left on the disk."""
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        reason = (str(error).strip().splitlines() or ["all is taken"])[0]
        # TensorFlow calls a full disk an exhausted resource, too.
        if isinstance(error, tf.errors.OpError) and "alloc" not in str(error):
            raise OSError(errno.ENOSPC, reason, str(where)) from None
        raise InputError(where, f"no memory left ({reason})", expected) from None
