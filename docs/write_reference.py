"""Writes docs/reference.md, every command's help and every field of a config, and makes the links of docs/paper.md lead
to the lines of what they name: `python docs/write_reference.py`.

Python 3.11 formats the help; other versions format it otherwise.
"""

import importlib
import os
import re
from pathlib import Path

from tf_msgan.cli.command import whole_parser
from tf_msgan.cli.entry import COMMANDS
from tf_msgan.config import PRESETS, Config, every_option
from tf_msgan.io.atomic_files import write_text

DOCS = Path(__file__).parent
MODULES = [*(f"tf_msgan.{name}" for name in COMMANDS), "tuning.compare", "tuning.study"]


def reference() -> str:
    """Returns the page as Markdown."""
    parts = [
        "# Reference",
        "`docs/write_reference.py` writes this page from the code (`make reference`).",
        "## Commands",
        "`tf-msgan COMMAND` is `python -m tf_msgan.COMMAND`.",
    ]
    # What argparse takes for the width of the terminal.
    os.environ["COLUMNS"] = "120"
    for module in MODULES:
        parser = whole_parser(importlib.import_module(module).make_parser)
        parser.prog = f"python -m {module}"
        parts += [f"### {module}", f"```\n{parser.format_help().rstrip()}\n```"]
    parts += [
        "## Fields of a config",
        "`config.json` of a run holds all of them. A field without an option of its own is set by"
        " `--set PART.FIELD=VALUE`; those of `preparation` have options, or are chosen by the scans."
        " From Python: `tf_msgan.config.Config`.",
        _table(),
    ]
    return "\n\n".join(parts) + "\n"


def _table() -> str:
    rows = [("field", "option", "default", *PRESETS, "may be", "what it is"), ("---",) * (5 + len(PRESETS))]
    for name, declared in every_option().items():
        default = Config().value(name)
        presets = (preset.value(name) for preset in PRESETS.values())
        changed = [_text(value) if value != default else "" for value in presets]
        may_be = declared.expected or "true, false"
        flag = f"`{declared.flag}`" if declared.flag else ""
        rows.append((f"`{name}`", flag, declared.chosen or _text(default), *changed, may_be, declared.help))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def linked(page: str) -> str:
    """Returns a page of docs/ whose links [`NAME`](../FILE.py#L…) lead to the lines that define NAME.

    Raises:
        ValueError: a file does not define what a link names.
    """

    def link(match: re.Match[str]) -> str:
        name, path = match.groups()
        lines = (DOCS / path).read_text(encoding="utf-8").splitlines()
        defines = re.compile(rf" *(def |class |){re.escape(name.rpartition('.')[2])}\b[(: =]")
        found = next((number for number, line in enumerate(lines, start=1) if defines.match(line)), None)
        if found is None:
            raise ValueError(f"{path} does not define {name}")
        return f"[`{name}`]({path}#L{found})"

    return re.sub(r"\[`([\w.]+)`\]\((\.\./[\w/]+\.py)#L\d*\)", link, page)


if __name__ == "__main__":
    write_text(DOCS / "reference.md", reference())
    write_text(DOCS / "paper.md", linked((DOCS / "paper.md").read_text(encoding="utf-8")))
