"""How a command ends."""

import functools
import sys

from tf_msgan.errors import InputError, check_name


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
