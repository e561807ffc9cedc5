"""Writes that leave either the whole file or none."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

# What names that are not whole yet begin with; a kill may leave some behind.
TEMPORARY = ".tmp-"
# A pattern of how other names begin; those of macOS's `._` files begin with a dot, too.
VISIBLE = "[!.]"


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path`, with the same suffix, that takes its place if the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        # A full disk is reported by calls that know no name.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """A name beside `path` that no other process uses, on whatever machine that sees the folder."""
    return path.with_name(f"{TEMPORARY}{socket.gethostname()}-{os.getpid()}-{path.name}")


def holds_something(path: Path) -> bool:
    """Whether there is a folder with more in it than what a kill left of a write."""
    return path.is_dir() and any(not inside.name.startswith(TEMPORARY) for inside in path.iterdir())


def sync(path: Path) -> None:
    """Waits until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text in UTF-8, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes a value as indented JSON, whole or not at all.

    Raises:
        TypeError: JSON cannot hold it.
    """
    write_text(path, json.dumps(value, indent=2) + "\n")
