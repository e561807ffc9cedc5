"""Options of every command that trains: which scans, and what is done to them."""

import argparse

from tf_msgan.config import CROPS, NORMALISATIONS
from tf_msgan.datasets.label_table_files import NAMED
from tf_msgan.datasets.layouts import LAYOUTS, present_name
from tf_msgan.datasets.splits import FORMS, SPLITS
from tf_msgan.preprocessing.bias_field import can_correct_bias

# Options that are fields of a `Preparation`.
PREPARED = ("crop", "normalise", "n4", "resample")


def add_data_options(parser: argparse.ArgumentParser):
    """Adds --data, and the options of `add_cohort_options` and --split. Returns their group."""
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="DIR", help="folder of scans (default: the embedded phantoms)")
    add_cohort_options(data)
    data.add_argument("--split", help=f"{', '.join(SPLITS)}, {FORMS} (default: the layout's own, or few-shot)")
    return data


def add_cohort_options(group):
    """Adds --layout, --labels and --modalities: how a folder is read."""
    group.add_argument("--layout", choices=LAYOUTS, type=present_name, help="of the folder (default: whichever fits)")
    group.add_argument("--labels", metavar="NAME|FILE.tsv", help=f"{', '.join(NAMED)}, or a table of index and name")
    group.add_argument("--modalities", nargs="+", metavar="NAME", help="which to take (default: all)")


def add_preparation_options(parser: argparse.ArgumentParser):
    """Adds the options of `PREPARED`. Returns their group."""
    scans = parser.add_argument_group("scans")
    scans.add_argument("--crop", choices=CROPS, help="brain: skull-stripped; nonzero: heads (default: detected)")
    scans.add_argument("--normalise", choices=NORMALISATIONS, help="of intensities (default: zscore)")
    scans.add_argument("--n4", action="store_true", default=None, help="correct the bias field (needs SimpleITK)")
    scans.add_argument("--resample", type=float, metavar="MM", help="to cubic voxels (default: each scan's own)")
    return scans


def given(options: argparse.Namespace, names) -> dict:
    """Those of the options `names` that were given."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def asked_preparation(options: argparse.Namespace) -> dict:
    """The fields of a `Preparation` that were asked for; says so if one is left out."""
    asked = given(options, PREPARED)
    if "n4" in asked and not can_correct_bias():
        print("note: --n4 is left out: SimpleITK is not installed (pip install 'tf_msgan[n4]')")
        del asked["n4"]
    return asked
