"""Options of every command that trains: which scans, and what is done to them."""

import argparse
import dataclasses

from tf_msgan.config import CROPS, NORMALISATIONS, Config
from tf_msgan.data.bias import can_correct_bias
from tf_msgan.data.check import check_modalities
from tf_msgan.data.cohort import Cohort
from tf_msgan.data.label_tables import NAMED
from tf_msgan.data.layouts import LAYOUTS
from tf_msgan.data.prepare import choose_preparation
from tf_msgan.data.splits import FORMS, SPLITS, Split

# Options that are fields of a `Preparation`.
PREPARED = ("crop", "normalise", "n4", "resample")


def add_data_options(parser: argparse.ArgumentParser):
    """Adds --data, --layout, --labels and --split. Returns their group."""
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="DIR", help="folder of scans (default: the embedded phantoms)")
    data.add_argument("--layout", choices=LAYOUTS, help="of the folder (default: whichever fits)")
    data.add_argument("--labels", metavar="NAME|FILE.tsv", help=f"{', '.join(NAMED)}, or a table of index and name")
    data.add_argument("--split", help=f"{', '.join(SPLITS)}, {FORMS} (default: the layout's own, or few-shot)")
    return data


def add_preparation_options(parser: argparse.ArgumentParser):
    """Adds the options of `PREPARED`. Returns their group."""
    scans = parser.add_argument_group("scans")
    scans.add_argument("--crop", choices=CROPS, help="brain: skull-stripped; nonzero: heads (default: detected)")
    scans.add_argument("--normalise", choices=NORMALISATIONS, help="of intensities (default: zscore)")
    scans.add_argument("--n4", action="store_true", default=None, help="correct the bias field (needs SimpleITK)")
    scans.add_argument("--resample", type=float, metavar="MM", help="to cubic voxels (default: each scan's own)")
    return scans


def prepare_config(config: Config, cohort: Cohort, split: Split, options: argparse.Namespace) -> Config:
    """The config with what is to be done to the cohort's scans: as asked for, else as they look.

    Raises:
        InputError: a subject lacks a modality and may not, or as of `choose_preparation`.
    """
    check_modalities(cohort, split, config.augmentation.may_lack_modality)
    preparation = choose_preparation(cohort, split, **asked_preparation(options))
    return dataclasses.replace(config, preparation=preparation)


def given(options: argparse.Namespace, names) -> dict:
    """Those of the options `names` that were given."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def asked_preparation(options: argparse.Namespace) -> dict:
    """The fields of a `Preparation` that were asked for; says so if one is left out."""
    asked = given(options, PREPARED)
    if "n4" in asked and not can_correct_bias():
        print("note: --n4 is left out: SimpleITK is not installed (pip install simpleitk)")
        del asked["n4"]
    return asked
