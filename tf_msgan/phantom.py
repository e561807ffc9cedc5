"""Writes a cohort of phantoms: `python -m tf_msgan.phantom infant DIR`, or `adult`."""

import argparse

from tf_msgan.cli.command import command
from tf_msgan.cli.program import program
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.errors import OptionError
from tf_msgan.phantoms.phantom_cohort import SUBJECTS, write_cohort


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("tf_msgan.phantom"), description=__doc__)
    parser.add_argument(
        "preset",
        choices=list(SUBJECTS),
        help="infant: T1 and T2 in the iSEG-2017 layout; adult: T1, T1-IR and FLAIR in the MRBrainS13 layout",
    )
    parser.add_argument("folder", metavar="DIR", help="a new or an empty folder")
    parser.add_argument("--subjects", type=int, metavar="N", help="how many (default: 23 infants, 20 adults)")
    parser.add_argument(
        "--spacing",
        type=int,
        choices=[1, 2],
        default=1,
        help="voxel size in mm for infants; for adults 1 is 0.958×0.958×3 mm, 2 twice that in plane (default: 1)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the cohort (default: 0)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    return parser


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    subjects = SUBJECTS[options.preset] if options.subjects is None else options.subjects
    if subjects < 1:
        raise OptionError("subjects", subjects, "1 or more")
    if options.seed < 0:
        raise OptionError("seed", options.seed, "0 or more")
    progress = TerminalProgress(not options.no_progress)
    write_cohort(
        options.preset,
        options.folder,
        subjects=subjects,
        spacing=options.spacing,
        seed=options.seed,
        progress=progress,
    )
    print(f"{subjects} {options.preset} phantoms at spacing {options.spacing} in {options.folder}")


if __name__ == "__main__":
    main()
