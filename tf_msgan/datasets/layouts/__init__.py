"""Folder layouts, by name."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.label_table_files import read_label_table
from tf_msgan.datasets.layouts import albert, bids, iseg, mrbrains, nnunet
from tf_msgan.errors import InputError, check_name
from tf_msgan.io.folders import names_in

# Whether a folder is in the layout, and how its subjects are found.
LAYOUTS: dict[str, tuple[Callable[[Path], bool], Callable[[Path, LabelTable | None], Cohort]]] = {
    "iseg": (iseg.matches, iseg.read_iseg),
    "mrbrains": (mrbrains.matches, mrbrains.read_mrbrains),
    "albert": (albert.matches, albert.read_albert),
    "nnunet": (nnunet.matches, nnunet.read_nnunet),
    "bids": (bids.matches, bids.read_bids),
}

# What layouts were called before.
FORMER_NAMES = {"folder": "nnunet"}


def present_name(layout: str) -> str:
    """What a layout is called now."""
    return FORMER_NAMES.get(layout, layout)


def read_cohort(
    root: str | os.PathLike[str],
    layout: str | None = None,
    labels: str | os.PathLike[str] | LabelTable | None = None,
    modalities: Sequence[str] | None = None,
) -> Cohort:
    """Finds the subjects in the folder `root`.

    Args:
        root: the folder.
        layout: how it is laid out; by default whichever fits.
        labels: a table, or the name or file of one (`read_label_table`), in place of the layout's own, which then is
            not read.
        modalities: names of those to take, in this order, as the layout calls them; by default all that it finds.

    Raises:
        InputError: there is no such folder, it may not be read, no layout fits, there is nothing in it, it has not
            those modalities, or a name is not UTF-8.
    """
    root, layout = Path(root), layout and present_name(layout)
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"the layout {layout}", "none of that name", f"one of {', '.join(LAYOUTS)}")
    if not root.is_dir():
        raise InputError(root, "no such folder", f"a folder in the layout {layout or ' or '.join(LAYOUTS)}")
    check_name(root.resolve())
    # Whatever is asked of a folder that may not be read, it seems to be empty.
    names_in(root)
    if layout is None:
        layout = next((name for name, (matches, _) in LAYOUTS.items() if matches(root)), None)
    if layout is None:
        raise InputError(root, "no layout that is known", f"one of {', '.join(LAYOUTS)} (docs/data.md)")
    table = read_label_table(os.fspath(labels)) if isinstance(labels, str | os.PathLike) else labels
    _, read = LAYOUTS[layout]
    cohort = read(root, table)
    if modalities is not None:
        cohort = cohort.with_modalities(modalities)
    for subject in cohort.subjects.values():
        for path in filter(None, (*subject.images, subject.label)):
            check_name(path)
    return cohort
