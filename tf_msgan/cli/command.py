"""A command: its options, what it logs, and how it ends."""

import argparse
import functools
import sys
from collections.abc import Callable, Sequence

from tf_msgan.cli.exit_status import check_arguments, one_line_errors
from tf_msgan.cli.logs import start_logging

Main = Callable[..., None]


def command(
    make_parser: Callable[[], argparse.ArgumentParser],
) -> Callable[[Callable[[argparse.Namespace], None]], Main]:
    """Makes the `main` of a command's module, called with a list of arguments or none, of what does its work.

    Args:
        make_parser: gives the parser; every command has --verbose and --debug beside its options.
    """

    def decorate(work: Callable[[argparse.Namespace], None]) -> Main:
        @functools.wraps(work)
        def main(argv: Sequence[str] | None = None) -> None:
            arguments = sys.argv[1:] if argv is None else list(argv)
            with one_line_errors():
                check_arguments()
            options = whole_parser(make_parser).parse_args(arguments)
            options.arguments = arguments
            start_logging(options.verbose or options.debug)
            with one_line_errors(with_traceback=options.debug):
                work(options)

        return main

    return decorate


def whole_parser(make_parser: Callable[[], argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Returns a command's parser with the options that every command has."""
    parser = make_parser()
    shown = parser.add_argument_group("messages")
    shown.add_argument("--verbose", action="store_true", help="say more of what is done")
    shown.add_argument("--debug", action="store_true", help="as --verbose, with a traceback at an error")
    return parser
