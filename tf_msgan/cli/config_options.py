"""Options of commands, made of the fields of a config that have a flag."""

import argparse
from typing import Any

from tf_msgan.config import PRESETS, Config, every_option


def add_config_options(groups: dict[str, argparse._ArgumentGroup], *names: str) -> None:
    """Adds an option for every field of a config that has a flag, to the one of `groups` that the field names.

    Args:
        groups: of the parser; fields of others are left out.
        names: the parts, and `model`, to add; by default all.
    """
    defaults = Config()
    for name, declared in every_option().items():
        if declared.flag is None or declared.group not in groups or (names and name.partition(".")[0] not in names):
            continue
        default = defaults.value(name)
        kind: dict[str, Any] = {"type": type(default), "metavar": declared.metavar or name.rpartition(".")[2].upper()}
        if declared.choices:
            kind = {"choices": declared.choices}
        elif isinstance(default, bool):
            kind = {"action": "store_true", "default": None}
        described = declared.help.replace("%", "%%") + _default(name, default, declared.chosen)
        groups[declared.group].add_argument(declared.flag, dest=name, help=described, **kind)


def add_set_option(group: argparse._ActionsContainer) -> None:
    """Adds --set, for the fields of a config that have no flag."""
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PART.FIELD=VALUE",
        help="any other value of a preset, as config.json has it (docs/reference.md has all)",
    )


def _default(name: str, default: Any, chosen: str) -> str:
    """What an option is without being asked for, as its help says it."""
    if isinstance(default, bool):
        return ""
    by_preset = {preset: config.value(name) for preset, config in PRESETS.items()}
    if chosen:
        return f" (default: {chosen})"
    if len(set(by_preset.values())) == 1:
        return f" (default: {default:g})" if isinstance(default, float) else f" (default: {default})"
    return f" (default: {', '.join(f'{preset} {value:g}' for preset, value in by_preset.items())})"


def asked_values(options: argparse.Namespace, of_preparation: bool) -> dict[str, Any]:
    """Returns the fields of a config that were asked for by flags, `PART.FIELD` or `model`, with their values: those of
    its preparation, or all others."""
    return {
        name: value
        for name in every_option()
        if name.startswith("preparation.") == of_preparation and (value := getattr(options, name, None)) is not None
    }
