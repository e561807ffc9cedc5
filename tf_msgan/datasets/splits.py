"""Which subject plays which role."""

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from tf_msgan.datasets.cohort import Cohort
from tf_msgan.errors import InputError, OptionError


@dataclass(frozen=True)
class Split:
    """Subject ids by role. Training uses the labels of `train` and `validation`, evaluation those of `test`, and nobody
    those of `unlabeled`. All but `train` may be empty."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    unlabeled: tuple[str, ...]
    test: tuple[str, ...]

    def roles(self) -> dict[str, tuple[str, ...]]:
        """The ids by the names of the roles."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_dict(self) -> dict[str, list[str]]:
        """The content of a split file."""
        return {role: list(ids) for role, ids in self.roles().items()}


def _numbers(first: int, last: int, form: str = "{}") -> tuple[str, ...]:
    return tuple(form.format(n) for n in range(first, last + 1))


# Few labelled, one for validation, the other labelled ones for the test, and the rest unlabelled; the first two are the
# paper's.
SPLITS = {
    "iseg-few-shot": Split(
        train=("1", "2"),
        validation=("3",),
        unlabeled=_numbers(11, 23),
        test=_numbers(4, 10),
    ),
    "mrbrains-few-shot": Split(
        train=("training-1",),
        validation=("training-2",),
        unlabeled=_numbers(1, 15, "test-{}"),
        test=_numbers(3, 5, "training-{}"),
    ),
    "albert-few-shot": Split(
        train=("01", "07"),
        validation=("02",),
        unlabeled=_numbers(8, 14, "{:02}"),
        test=_numbers(3, 6, "{:02}"),
    ),
}
# What else `--split` takes.
FORMS = "few-shot, all, fold:I/K, leave-one-out:ID, or a file.json"

# Labelled subjects of a split that does not say how many.
FEW = 2


def read_split(name: str | None, cohort: Cohort, labeled: int | None = None, may_lack_modality: bool = False) -> Split:
    """Returns a split.

    Args:
        name: one of `SPLITS`; `few-shot`: the first subjects are labelled, the next is for validation, all others that
            have labels are for the test; `all`: all labelled subjects train, and only what the layout holds out is
            tested; `fold:I/K`: part I of K of the labelled subjects is tested; `leave-one-out:ID`; or a file
            `{"train": [ids], "validation": …, "unlabeled": …, "test": …}`. By default the layout's own of `SPLITS` if
            the cohort has its subjects and `labeled` is not given, else `few-shot`.
        cohort: whose subjects they are.
        labeled: how many train, of `few-shot`, `fold` and `leave-one-out`. In the two latter the labels of other
            subjects go unread.
        may_lack_modality: whether scans that lack one may train; if not, unlabelled ones that do are left out, unless
            the split names them.

    Raises:
        InputError: there is no such split, or it does not fit the cohort (`check_split`).
    """
    usable = cohort if may_lack_modality else _without_incomplete(cohort)
    own = f"{cohort.layout}-few-shot"
    if name is None:
        fits = own in SPLITS and cohort.subjects.keys() >= set(_flat(SPLITS[own].roles().values()))
        name = own if fits and labeled is None else "few-shot"
    match = re.fullmatch(r"fold:(\d+)/(\d+)|leave-one-out:(.+)", name)
    if labeled is not None and name != "few-shot" and not match:
        raise OptionError("labeled", f"the split {name} beside it", "few-shot, fold:I/K or leave-one-out:ID")
    if match and match[3]:
        split = _test_on((match[3],), usable, labeled)
    elif match:
        split = _fold(int(match[1]), int(match[2]), usable, labeled)
    elif name == "few-shot":
        split = _few_shot(usable, labeled)
    elif name == "all":
        test = _held_out(usable)
        split = Split(train=_labelled(usable), validation=(), unlabeled=_pile(usable, test), test=test)
    else:
        split = SPLITS.get(name) or _from_file(name)
    check_split(split, f"split {name}", cohort)
    return split


def check_split(split: Split, name: str, cohort: Cohort) -> None:
    """Checks a split against the subjects of a cohort; `name` says where it came from.

    Raises:
        InputError: nobody trains, a subject is not in the cohort, plays two roles, is a scan of somebody who is
            on another side, is held out by the layout but not tested, or lacks the labels for its role.
    """
    if not split.train:
        raise InputError(name, "no subject for train", "at least one")
    seen: dict[str, str] = {}
    people: dict[str, tuple[str, str]] = {}
    for role, ids in split.roles().items():
        for subject_id in ids:
            subject = cohort.subjects.get(subject_id)
            if subject is None:
                known = ", ".join(cohort.subjects)
                raise InputError(name, f"{role} subject {subject_id}", f"those of {cohort.root}: {known}")
            if subject_id in seen:
                raise InputError(name, f"subject {subject_id} in {seen[subject_id]} and {role}", "one role each")
            if subject.held_out and role != "test":
                expected = f"no other role than test: {cohort.root} holds it out"
                raise InputError(name, f"{role} subject {subject_id}", expected)
            if role != "unlabeled" and subject.label is None:
                raise InputError(cohort.root, f"no label map for {role} subject {subject_id}", "one")
            seen[subject_id] = role
            other, its_role = people.setdefault(subject.whose(), (subject_id, role))
            if its_role != role and {its_role, role} != {"train", "unlabeled"}:
                found = f"{other} in {its_role} and {subject_id} in {role}"
                raise InputError(name, found, "all scans of one person on one side: training, validation or test")


def _without_incomplete(cohort: Cohort) -> Cohort:
    """The cohort without the unlabelled scans that lack a modality."""
    kept = {
        subject_id: subject
        for subject_id, subject in cohort.subjects.items()
        if subject.label or None not in subject.images
    }
    return replace(cohort, subjects=kept)


def _labelled(cohort: Cohort) -> tuple[str, ...]:
    return tuple(
        subject_id for subject_id, subject in cohort.subjects.items() if subject.label and not subject.held_out
    )


def _held_out(cohort: Cohort) -> tuple[str, ...]:
    return tuple(subject_id for subject_id, subject in cohort.subjects.items() if subject.label and subject.held_out)


def _pile(cohort: Cohort, apart: Iterable[str]) -> tuple[str, ...]:
    """The ids of scans without labels, but for those of people whose scans `apart` holds."""
    people = _whose(cohort, apart)
    return tuple(
        subject_id
        for subject_id, subject in cohort.subjects.items()
        if not subject.label and not subject.held_out and subject.whose() not in people
    )


def _people(cohort: Cohort, ids: Iterable[str]) -> list[list[str]]:
    """The ids, those of one person together."""
    people: dict[str, list[str]] = {}
    for subject_id in ids:
        people.setdefault(cohort.subjects[subject_id].whose(), []).append(subject_id)
    return list(people.values())


def _whose(cohort: Cohort, ids: Iterable[str]) -> set[str]:
    """Whose scans these are; `check_split` refuses ids that the cohort lacks."""
    return {cohort.subjects[subject_id].whose() for subject_id in ids if subject_id in cohort.subjects}


def _flat(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(itertools.chain.from_iterable(groups))


def _few_shot(cohort: Cohort, labeled: int | None) -> Split:
    known, held_out = _people(cohort, _labelled(cohort)), _held_out(cohort)
    most = len(known) if held_out else len(known) - 1
    if most < 1:
        raise _too_few(cohort, known)
    count = min(FEW, most) if labeled is None else labeled
    if not 1 <= count <= most:
        raise OptionError("labeled", count, f"1 to {most}: {len(known)} subjects have labels")
    rest = known[count:]
    # The last one is needed for the test.
    validated = 1 if len(rest) > 1 or held_out else 0
    validation, test = _flat(rest[:validated]), (*_flat(rest[validated:]), *held_out)
    unlabeled = _pile(cohort, (*validation, *test))
    return Split(train=_flat(known[:count]), validation=validation, unlabeled=unlabeled, test=test)


def _too_few(cohort: Cohort, known: Sequence[Sequence[str]]) -> InputError:
    return InputError(cohort.root, f"{len(known)} labelled subjects", "two, one of them for the test, or --split all")


def _fold(part: int, parts: int, cohort: Cohort, labeled: int | None) -> Split:
    known = _people(cohort, _labelled(cohort))
    if len(known) < 2:
        raise _too_few(cohort, known)
    if not (2 <= parts <= len(known) and 1 <= part <= parts):
        raise OptionError(
            "split", f"fold:{part}/{parts}", f"fold:I/K with K in 2..{len(known)}, so many have labels, and I in 1..K"
        )
    return _test_on(_flat(known[part - 1 :: parts]), cohort, labeled)


def _test_on(test: tuple[str, ...], cohort: Cohort, labeled: int | None) -> Split:
    """Trains on the labelled people who are not tested, but for one of three or more, who is for validation."""
    tested = _whose(cohort, test)
    known = _people(cohort, _labelled(cohort))
    rest = [ids for ids in known if not _whose(cohort, ids) & tested]
    if not rest:
        raise _too_few(cohort, known)
    if labeled is None:
        labeled = len(rest) - (len(rest) > 2)
    if not 1 <= labeled <= len(rest):
        raise OptionError("labeled", labeled, f"1 to {len(rest)}: so many have labels and are not tested")
    validation = _flat(rest[labeled : labeled + 1])
    unlabeled = (*_pile(cohort, (*validation, *test)), *_flat(rest[labeled + 1 :]))
    return Split(train=_flat(rest[:labeled]), validation=validation, unlabeled=unlabeled, test=test)


def _from_file(name: str) -> Split:
    path = Path(name)
    if path.suffix != ".json":
        raise OptionError("split", f"{path}, an unknown name", f"one of {', '.join(SPLITS)}, {FORMS}")
    roles = [field.name for field in fields(Split)]
    expected = f"{{{', '.join(f'{role!r}: [ids]' for role in roles)}}}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "no such file", expected) from None
    except ValueError as error:
        raise InputError(path, f"no JSON ({error})", expected) from None
    if not isinstance(content, dict):
        raise InputError(path, f"a {type(content).__name__}", expected)
    if sorted(content) != sorted(roles):
        raise InputError(path, f"the roles {', '.join(content) or 'none'}", f"{expected}; lists may be empty")
    for role, ids in content.items():
        if not isinstance(ids, list) or not all(isinstance(subject_id, str | int) for subject_id in ids):
            raise InputError(path, f"{ids!r} for {role}", "a list of ids")
    return Split(**{role: tuple(map(str, ids)) for role, ids in content.items()})
