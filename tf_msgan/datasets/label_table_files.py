"""Tables of labels that users name or write."""

import csv
from pathlib import Path

from tf_msgan.datasets.freesurfer import FREESURFER, TISSUES
from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.errors import InputError, OptionError
from tf_msgan.preprocessing.reserved_values import IGNORE

# BIDS 1.9, "Common image-derived labels": bone, soft tissue and what is not brain are background; lesions, brain stem
# and cerebellum are not counted.
BIDS = LabelTable(
    TISSUES,
    {0: 0, 1: 2, 2: 3, 3: 1, 4: 0, 5: 0, 6: 0, 7: IGNORE, 8: 2, 9: 2, 10: IGNORE, 11: IGNORE},
)
# Tables that users name in place of a file.
NAMED = {"freesurfer": FREESURFER, "bids": BIDS}

BACKGROUND_NAMES = ("background", "bg", "unknown")
IGNORED_NAMES = ("ignore", "ignored")


def read_label_table(name_or_path: str) -> LabelTable:
    """Returns the table `freesurfer` or `bids`, or reads one from a file with the columns `index` and `name`, as BIDS's
    `dseg.tsv`: names are tissues, and codes of one name are one tissue; `background` and `ignore` are what they say.

    Raises:
        InputError: there is no such table, or it is not of that form.
    """
    if name_or_path in NAMED:
        return NAMED[name_or_path]
    path = Path(name_or_path)
    if path.suffix != ".tsv":
        raise OptionError("labels", f"{name_or_path}, an unknown table", f"one of {', '.join(NAMED)}, or a file.tsv")
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except FileNotFoundError:
        raise InputError(path, "no such file", "a table with the columns index and name") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"no table ({error})", "a table with the columns index and name") from None
    try:
        names = [(int(row["index"]), row["name"].strip()) for row in rows]
        if len(dict(names)) < len(names):
            raise ValueError("a code twice")
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InputError(path, "other content", "one row a code, with the columns index (whole) and name") from None
    return table_of_names(dict(names), path)


def table_of_names(names: dict[int, str], where: Path) -> LabelTable:
    """Makes the table of the names of codes, which the file `where` holds; tissues are in the order of their first
    codes, and need not be in every scan.

    Raises:
        InputError: a code has no name, or there is no tissue, or there are too many.
    """
    if not all(names.values()):
        raise InputError(where, "a code without a name", "a name for each")
    tissues: list[str] = []
    classes = {0: 0}
    for code, name in sorted(names.items()):
        if name.lower() in BACKGROUND_NAMES:
            classes[code] = 0
        elif name.lower() in IGNORED_NAMES:
            classes[code] = IGNORE
        else:
            if name not in tissues:
                tissues.append(name)
            classes[code] = tissues.index(name) + 1
    if not 0 < len(tissues) < IGNORE - 1:
        raise InputError(where, f"{len(tissues)} tissues", f"1 to {IGNORE - 2}")
    return LabelTable(tuple(tissues), classes, all_present=False)
