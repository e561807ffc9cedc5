"""What a model's variables are called in files."""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping

import keras
import numpy as np

# Pairs of path and variable, by the network or the optimiser that has them.
Groups = Mapping[str, list[tuple[str, keras.Variable]]]


def paths_of(
    name: str, variables: Iterable[keras.Variable], rename: Callable[[str], str] = str
) -> list[tuple[str, keras.Variable]]:
    """Pairs each variable of a network or an optimiser with its path, `NAME/LAYER/VARIABLE`, after `rename`."""
    return [(f"{name}/{rename(variable.path)}", variable) for variable in variables]


def by_path(groups: Groups) -> dict[str, keras.Variable]:
    """Returns the variables of all groups, by path.

    Raises:
        ValueError: two have one path.
    """
    named: dict[str, keras.Variable] = {}
    for path, variable in itertools.chain(*groups.values()):
        if path in named:
            raise ValueError(
                f"two variables called {path}: the layers that one optimiser moves need names of their own"
            )
        named[path] = variable
    return named


def numbered_paths(groups: Groups) -> dict[str, str]:
    """Returns the path of every variable by the name that files of schema 0 have for it, `GROUP/N`."""
    return {f"{name}/{n}": path for name, group in groups.items() for n, (path, _) in enumerate(group)}


def unnumbered(path: str) -> str:
    """Takes from the path of an optimiser's variable the number by which Keras tells the optimisers of a process
    apart."""
    return re.sub(r"^([a-z_]+?)(_[0-9]+)?/", r"\1/", path)


def digest(variables: Iterable[keras.Variable]) -> str:
    """Returns the SHA-256 of the variables' values, in hexadecimal."""
    total = hashlib.sha256()
    for variable in variables:
        total.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return total.hexdigest()
