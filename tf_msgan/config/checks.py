"""Checks of the options of a config."""

import math

from tf_msgan.errors import InputError


def check_option(name, value, expected, ok):
    if not ok:
        raise InputError(f"--{name.replace('_', '-')}", value, expected)


def check_field(part, name, expected, is_right):
    """Checks a field that has no option of its own."""
    value = getattr(part, name)
    check_option("set", f"{name}={value}", expected, is_right(value))


def is_weight(value):
    return math.isfinite(value) and value >= 0
