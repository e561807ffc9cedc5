"""Which subject plays which role."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from tf_msgan.data.cohort import Cohort
from tf_msgan.errors import InputError


@dataclass(frozen=True)
class Split:
    """Subject ids by role. Labels are read of `train` and `validation` in training, and of `test` in evaluation only;
    never of `unlabeled`."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    unlabeled: tuple[str, ...]
    test: tuple[str, ...]

    def roles(self) -> dict[str, tuple[str, ...]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _numbers(first, last, form="{}"):
    return tuple(form.format(n) for n in range(first, last + 1))


# The paper's protocols: 2 labelled, 1 validation, the other labelled ones for the test, and the rest unlabelled.
SPLITS = {
    "iseg-few-shot": Split(("1", "2"), ("3",), _numbers(11, 23), _numbers(4, 10)),
    "albert-few-shot": Split(("01", "07"), ("02",), _numbers(8, 14, "{:02}"), _numbers(3, 6, "{:02}")),
}


def read_split(name_or_path: str, cohort: Cohort) -> Split:
    """Returns a split by its name, or from a file `{"train": [ids], "validation": …, "unlabeled": …, "test": …}`.

    Raises:
        InputError: there is no such split, it names a subject that the cohort lacks or names one twice, a role is
            empty, or a role that needs labels has a subject without.
    """
    split = SPLITS.get(name_or_path) or _from_file(name_or_path)
    check_split(split, f"split {name_or_path}", cohort)
    return split


def check_split(split: Split, name: str, cohort: Cohort):
    """Raises `InputError` as `read_split` does; `name` says where the split came from."""
    seen = {}
    for role, ids in split.roles().items():
        if not ids:
            raise InputError(name, f"no subject for {role}", "at least one in each role")
        for id in ids:
            subject = cohort.subjects.get(id)
            if subject is None:
                known = ", ".join(cohort.subjects)
                raise InputError(name, f"{role} subject {id}", f"those of {cohort.root}: {known}")
            if id in seen:
                raise InputError(name, f"subject {id} in {seen[id]} and {role}", "one role each")
            if role != "unlabeled" and subject.label is None:
                raise InputError(cohort.root, f"no label map for {role} subject {id}", "one")
            seen[id] = role


def _from_file(path):
    path = Path(path)
    if path.suffix != ".json":
        raise InputError(f"--split {path}", "an unknown name", f"one of {', '.join(SPLITS)}, or a file.json")
    roles = [field.name for field in fields(Split)]
    expected = f"{{{', '.join(f'{role!r}: [ids]' for role in roles)}}}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "no such file", expected) from None
    except ValueError as error:
        raise InputError(path, f"no JSON ({error})", expected) from None
    well_formed = isinstance(content, dict) and all(
        isinstance(ids, list) and all(isinstance(id, str | int) for id in ids) for ids in content.values()
    )
    if not well_formed or sorted(content) != sorted(roles):
        raise InputError(path, "other content", expected)
    return Split(**{role: tuple(str(id) for id in ids) for role, ids in content.items()})
