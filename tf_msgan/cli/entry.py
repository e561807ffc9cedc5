"""The command `tf-msgan COMMAND …`, which is `python -m tf_msgan.COMMAND …`."""

import importlib
import sys

import tf_msgan

# What each is for; its own --help says more.
COMMANDS = {
    "train": "train on a folder of scans, evaluate and report",
    "predict": "segment scans with a trained model",
    "evaluate": "evaluate a run again",
    "export": "export a trained model for TF Serving",
    "doctor": "check a folder of scans",
    "phantom": "write a cohort of phantoms",
}


def usage() -> str:
    """Returns what `tf-msgan --help` prints."""
    lines = [f"  {name:<10}{purpose}" for name, purpose in COMMANDS.items()]
    return "\n".join(["usage: tf-msgan COMMAND …    (tf-msgan COMMAND --help)", "", *lines, "", "  --version"])


def main() -> None:
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
    elif name == "--version":
        print(f"tf_msgan {tf_msgan.__version__}")
    elif name in COMMANDS:
        importlib.import_module(f"tf_msgan.{name}").main(arguments)
    else:
        print(f"error: found the command {name!r}; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)
