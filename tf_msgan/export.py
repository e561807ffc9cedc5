"""Exports a trained run for TF Serving: `python -m tf_msgan.export RUN --name brain`."""

import argparse
import re
from pathlib import Path

from tf_msgan.cli.command import command
from tf_msgan.cli.program import program
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.errors import OptionError, require


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("tf_msgan.export"), description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train, or its model.keras")
    parser.add_argument("--name", required=True, help="of the model, as clients will call it")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("saved_models"),
        metavar="DIR",
        help="takes NAME/VERSION (default: %(default)s)",
    )
    return parser


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", options.name):
        raise OptionError("name", options.name, "letters, digits, '.', '_' and '-', a letter or a digit first")
    require("tensorflow_serving", "serving", "an export for TF Serving")
    with quiet_import():
        from tf_msgan.inference.saved_model import export_model
        from tf_msgan.runs.trained_model import load_model
    folder = export_model(load_model(options.run), options.output / options.name)
    print(f"exported to {folder}; serve {folder.parent.resolve()} under the name {options.name}")


if __name__ == "__main__":
    main()
