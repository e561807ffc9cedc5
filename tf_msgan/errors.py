"""What a user did wrong, said in one line."""

import functools
import sys


class InputError(Exception):
    """Bad input. Its text is one line that names the file, what was found and what was expected."""

    def __init__(self, where, found, expected):
        # Exceptions cross processes by their arguments.
        super().__init__(where, found, expected)

    def __str__(self):
        where, found, expected = self.args
        return f"{where}: found {found}; expected {expected}".replace("\n", " ")


def check_name(path):
    """Refuses names that are not UTF-8: no report could hold them.

    Raises:
        InputError: `path`, or a part of it, is one.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(ascii(str(path)), "a name that is not UTF-8", "one that is") from None


def exit_on_input_error(main):
    """Makes a command, or what a process of one runs, end with one line on standard error: status 2 on bad input or a
    failing write, 130 on Ctrl-C. An argument that is not UTF-8 is refused: most come to be written somewhere."""

    @functools.wraps(main)
    def guarded(*arguments):
        try:
            for argument in sys.argv:
                check_name(argument)
            return main(*arguments)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
        except OSError as error:
            print(f"error: {error.filename or 'file system'}: {error.strerror or error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        sys.exit(2)

    return guarded
