"""How a command ends."""

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from tf_msgan.cli.flags import flag_of
from tf_msgan.errors import InputError, OptionError, check_name


@contextlib.contextmanager
def one_line_errors(with_traceback: bool = False) -> Iterator[None]:
    """Makes what a command runs end with one line on standard error: status 2 on bad input or a failing write, 130 on
    Ctrl-C. A traceback goes before it if asked."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except (InputError, OSError) as error:
        if with_traceback:
            traceback.print_exc()
        print(f"error: {line_of(error)}", file=sys.stderr)
        sys.exit(2)


def line_of(error: InputError | OSError) -> str:
    """Returns an error as a command says it: an option by its flag."""
    if isinstance(error, OptionError):
        name, found, expected = error.args
        return str(InputError(flag_of(name), found, expected))
    if isinstance(error, OSError):
        return f"{error.filename or 'file system'}: {error.strerror or error}"
    return str(error)


def check_arguments() -> None:
    """Refuses an argument that is not UTF-8: most come to be written somewhere.

    Raises:
        InputError: one is not.
    """
    for argument in sys.argv:
        check_name(argument)


def exit_on_input_error(main: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a command, or what a process of one runs, end as `one_line_errors` does."""

    @functools.wraps(main)
    def guarded(*arguments: Any) -> Any:
        with one_line_errors():
            check_arguments()
            return main(*arguments)

    return guarded
