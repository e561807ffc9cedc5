"""Dataclasses made of what JSON gave, checked against the types of their fields."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, Union

from tf_msgan.errors import InputError

T = TypeVar("T")

NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "null"}


def read_record(kind: type[T], value: Any, where: object) -> T:
    """Makes a dataclass of a JSON object. A field that the object lacks has its default; what is no field is left out.

    Args:
        kind: the dataclass. Its fields are `bool`, `int`, `float`, `str`, dataclasses, tuples and lists of these, one
            of several of these (`|`), or mappings from `str` or `int`, which JSON writes as text.
        value: what JSON gave.
        where: what the message names: the file, and the object's name in it.

    Raises:
        InputError: a field is missing, or of another type.
    """
    if not isinstance(value, dict):
        raise InputError(where, _shown(value), "a JSON object")
    hints = typing.get_type_hints(kind)
    found = {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        if field.name in value:
            found[field.name] = _read(hints[field.name], value[field.name], f"{where}: {field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(where, f"no {field.name}", f"what a {kind.__name__} has")
    return kind(**found)


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return read_record(typing.cast(type, kind), value, where)
    if origin in (Union, types.UnionType):
        return _read_one_of(inner, value, where)
    if origin in (tuple, list):
        if not isinstance(value, list) or (origin is tuple and inner[-1] is not ... and len(inner) != len(value)):
            raise InputError(where, _shown(value), "a list" if inner[-1] is ... else f"a list of {len(inner)}")
        each = inner if origin is tuple and inner[-1] is not ... else [inner[0]] * len(value)
        return origin(_read(k, v, f"{where}[{n}]") for n, (k, v) in enumerate(zip(each, value, strict=True)))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise InputError(where, _shown(value), "a JSON object")
        return {_read_key(inner[0], key, where): _read(inner[1], v, f"{where}.{key}") for key, v in value.items()}
    if not is_of_type(value, kind):
        raise InputError(where, _shown(value), NAMES[kind])
    return value


def is_of_type(value: Any, kind: type) -> bool:
    """Says whether a value is of a type as JSON has them: a whole number is a number too, and true is none."""
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is kind


def _read_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    for kind in kinds:
        try:
            return _read(kind, value, where)
        except InputError as error:
            last = error
    raise last


def _read_key(kind: Any, key: str, where: str) -> Any:
    try:
        return kind(key)
    except ValueError:
        raise InputError(where, f"the key {key!r}", NAMES[kind]) from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
