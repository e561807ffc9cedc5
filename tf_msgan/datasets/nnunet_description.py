"""nnU-Net's `dataset.json`: the names of channels and of labels."""

import json
import operator
import os
from pathlib import Path
from typing import Any

from tf_msgan.datasets.label_table import LabelTable
from tf_msgan.datasets.label_table_files import table_of_names
from tf_msgan.errors import InputError

DESCRIPTION = "dataset.json"
EXPECTED = '{"channel_names": {"0": "T1", …}, "labels": {"background": 0, "CSF": 1, …}, …} as nnU-Net has it'


def read_description(path: Path, table: LabelTable | None = None) -> tuple[tuple[str, ...], LabelTable]:
    """Reads the modalities by their channels, and the table of labels: `table`, or the file's own.

    Raises:
        InputError: there is no such file, or it is not of that form.
    """
    content = _read(path)
    try:
        modalities = _channels(content)
        labels = {} if table else content["labels"]
        if any(isinstance(code, list) for code in labels.values()):
            raise InputError(path, "regions, lists of labels", "a code for each label, or --labels FILE.tsv")
        if not all(str(key).isdigit() for key in labels):
            codes = [operator.index(int(code) if isinstance(code, str) else code) for code in labels.values()]
            if len(set(codes)) < len(codes):
                raise ValueError("a code of two labels")
            labels = dict(zip(codes, labels, strict=True))
        names = {int(code): str(name) for code, name in labels.items()}
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, f"other content ({error!r})", EXPECTED) from None
    if not modalities or len(set(modalities)) < len(modalities):
        raise InputError(path, f"the channels {', '.join(modalities) or 'none'}", "one name for each")
    return modalities, table or table_of_names(names, path)


def find_channels(folder: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Finds the `dataset.json` in a folder of images, or above it, that names channels, and returns it and their
    modalities; None and none without one."""
    folder = Path(os.path.abspath(folder))
    for path in (folder / DESCRIPTION, folder.parent / DESCRIPTION):
        try:
            return path, _channels(_read(path))
        except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError):
            # Another program's.
            continue
    return None, ()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "no such file", EXPECTED) from None
    except UnicodeDecodeError as error:
        raise InputError(path, f"no text ({error})", EXPECTED) from None
    except ValueError as error:
        raise InputError(path, f"other content ({error!r})", EXPECTED) from None


def _channels(content: dict[str, Any]) -> tuple[str, ...]:
    # The first version said "modality", and had codes for keys.
    channels = content.get("channel_names") or content["modality"]
    return tuple(str(channels[str(n)]) for n in range(len(channels)))
