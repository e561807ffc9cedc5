"""What the library logs, on the terminal."""

import logging
import sys

from tqdm import tqdm

PACKAGES = ("tf_msgan", "tuning")


class TerminalHandler(logging.Handler):
    """Prints each message as a line on standard output, above progress bars that are drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = "warning: " if record.levelno >= logging.WARNING else ""
        tqdm.write(f"{kind}{record.getMessage()}", file=sys.stdout)
        sys.stdout.flush()


def start_logging(verbose: bool) -> None:
    """Shows what the packages log: all if `verbose`, else what is of note."""
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG if verbose else logging.INFO)
        logger.propagate = False
        if not any(isinstance(handler, TerminalHandler) for handler in logger.handlers):
            logger.addHandler(TerminalHandler())
