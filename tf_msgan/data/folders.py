"""What lies in folders. A folder that may not be read is refused: pathlib's `glob` takes it for an empty one."""

import os
from collections.abc import Iterator
from pathlib import Path

from tf_msgan.errors import InputError


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; none if there is no such folder.

    Raises:
        InputError: it may not be read.
    """
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise _refused(error) from None


def folders_below(root: Path) -> Iterator[Path]:
    """`root` and all folders below it, where links lead too, but for those that lead back up; none if there is no such
    folder.

    Raises:
        InputError: one may not be read.
    """

    def refuse(error):
        if isinstance(error, PermissionError):
            raise _refused(error) from None

    for path, names, _ in os.walk(root, followlinks=True, onerror=refuse):
        folder = Path(path)
        if folder != root and folder.parent.resolve().is_relative_to(folder.resolve()):
            names.clear()
            continue
        names.sort()
        yield folder


def is_there(path: Path) -> bool:
    """Whether there is such a file, or a link: of one that leads nowhere, as before `git annex get`, reading says so.

    Raises:
        InputError: the folder may not be searched.
    """
    try:
        os.lstat(path)
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        raise _refused(error) from None


def check_name(path):
    """Refuses names that are not UTF-8: no report could hold them.

    Raises:
        InputError: `path`, or a part of it, is one.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(ascii(str(path)), "a name that is not UTF-8", "one that is") from None


def _refused(error):
    return InputError(error.filename, "no permission to read it", "a folder that can be read")
