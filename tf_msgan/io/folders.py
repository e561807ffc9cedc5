"""What lies in folders. One that may not be read is refused: pathlib's `glob` takes it for an empty one."""

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
    except PermissionError:
        raise _refused(folder) from None


def files_below(root: Path) -> Iterator[Path]:
    """The files in `root` and in all folders below it, but for what is hidden; none if there is no such folder. Links
    are followed out of `root`, each target once; what they lead to inside it is found without them.

    Raises:
        InputError: a folder may not be read.
    """

    def refuse(error: OSError) -> None:
        if isinstance(error, PermissionError):
            raise _refused(error.filename) from None
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise error

    known = [root.resolve()]
    for path, folders, files in os.walk(root, followlinks=True, onerror=refuse):
        folder = Path(path)
        if folder != root and folder.is_symlink():
            target = folder.resolve()
            if any(target.is_relative_to(other) or other.is_relative_to(target) for other in known):
                folders.clear()
                continue
            known.append(target)
        folders[:], visible = (sorted(name for name in names if not name.startswith(".")) for names in (folders, files))
        yield from (folder / name for name in visible)


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder, and not just a link to nothing.

    Raises:
        InputError: the folder that it would lie in may not be searched.
    """
    try:
        return path.exists()
    except PermissionError:
        raise _refused(path.parent) from None


def _refused(folder: str | Path) -> InputError:
    return InputError(folder, "no permission to read it", "a folder that can be read")
