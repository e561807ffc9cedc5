"""Folder layouts, by name."""

from pathlib import Path

from tf_msgan.data.cohort import Cohort
from tf_msgan.data.layouts.albert import read_albert
from tf_msgan.data.layouts.iseg import read_iseg
from tf_msgan.errors import InputError

LAYOUTS = {"iseg": read_iseg, "albert": read_albert}


def read_cohort(root, layout: str) -> Cohort:
    """Finds the subjects in the folder `root`, laid out as `layout` says.

    Raises:
        InputError: the folder or a file of a subject is missing.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(root, "no such folder", f"a folder in the {layout} layout")
    return LAYOUTS[layout](root)
