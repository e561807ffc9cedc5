"""The form of what a run writes: `config.json`, `model.keras` and checkpoints name their schema and version."""

from collections.abc import Mapping
from typing import Any

from tf_msgan.errors import InputError

# Raise it when an earlier version could no longer read what this one writes, as after a new field of the config.
# 0 are files that name none.
SCHEMA = 1


def read_schema(recorded: Mapping[str, Any], where: object) -> int:
    """The schema of a file's content, `{"schema": …, "version": …}`, which `where` names.

    Raises:
        InputError: it is none, or newer than this version reads.
    """
    schema = recorded.get("schema", 0)
    if type(schema) is not int or not 0 <= schema <= SCHEMA:
        found = f"schema {schema!r} of tf_msgan {recorded.get('version', '(unknown)')}"
        raise InputError(where, found, f"0 to {SCHEMA}, which this version reads; a newer tf_msgan reads more")
    return schema
