"""Writes a cohort of phantoms: `python -m tf_msgan.phantom infant DIR`."""

import argparse

from tf_msgan.data.phantom_cohort import write_infant_cohort
from tf_msgan.errors import exit_on_input_error
from tf_msgan.progress import Progress


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m tf_msgan.phantom", description=__doc__)
    parser.add_argument("preset", choices=["infant"], help="infant: T1 and T2 in the iSEG-2017 layout")
    parser.add_argument("folder", metavar="DIR", help="a new or an empty folder")
    parser.add_argument("--subjects", type=int, default=23, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--spacing", type=int, choices=[1, 2], default=1, help="voxel size in mm (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the cohort (default: 0)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)
    if options.subjects < 1:
        parser.error(f"--subjects: found {options.subjects}; expected 1 or more")
    if options.seed < 0:
        parser.error(f"--seed: found {options.seed}; expected 0 or more")
    return options


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    show = Progress(not options.no_progress).task("drawing phantoms")
    write_infant_cohort(options.folder, options.subjects, options.spacing, options.seed, show)
    print(f"{options.subjects} infant phantoms at {options.spacing} mm in {options.folder}")


if __name__ == "__main__":
    main()
