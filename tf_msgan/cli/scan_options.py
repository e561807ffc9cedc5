"""Options of every command that trains: which scans, and what is done to them."""

import argparse
from typing import Any

from tf_msgan.cli.config_options import add_config_options, asked_values
from tf_msgan.datasets.label_table_files import NAMED
from tf_msgan.datasets.layouts import LAYOUTS, present_name
from tf_msgan.datasets.splits import FORMS, SPLITS
from tf_msgan.preprocessing.bias_field import can_correct_bias


def add_data_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds --data, the options of `add_cohort_options`, and --split. Returns their group."""
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="DIR", help="folder of scans (default: the embedded phantoms)")
    add_cohort_options(data)
    add_split_option(data)
    return data


def add_cohort_options(group: argparse._ActionsContainer) -> None:
    """Adds --layout, --labels and --modalities: how a folder is read."""
    group.add_argument("--layout", choices=LAYOUTS, type=present_name, help="of the folder (default: whichever fits)")
    group.add_argument("--labels", metavar="NAME|FILE.tsv", help=f"{', '.join(NAMED)}, or a table of index and name")
    group.add_argument("--modalities", nargs="+", metavar="NAME", help="which to take (default: all)")


def add_split_option(group: argparse._ActionsContainer) -> None:
    """Adds --split: who trains, and who is for validation and test."""
    group.add_argument("--split", help=f"{', '.join(SPLITS)}, {FORMS} (default: the layout's own, or few-shot)")


def add_labeled_option(group: argparse._ActionsContainer) -> None:
    """Adds --labeled, for a split that leaves it open."""
    group.add_argument(
        "--labeled", type=int, metavar="N", help="how many labelled subjects train (default: as the split has it)"
    )


def add_preparation_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the options that are fields of a `Preparation`. Returns their group."""
    scans = parser.add_argument_group("scans")
    add_config_options({"scans": scans}, "preparation")
    return scans


def asked_preparation(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the fields of a `Preparation` that were asked for; says so if one is left out."""
    values = asked_values(options, of_preparation=True)
    asked = {name.partition(".")[2]: value for name, value in values.items()}
    if "n4" in asked and not can_correct_bias():
        print("note: --n4 is left out: SimpleITK is not installed (pip install 'tf_msgan[n4]')")
        del asked["n4"]
    return asked
