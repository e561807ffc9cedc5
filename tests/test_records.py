"""Dataclasses made of what JSON gave."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tf_msgan.errors import InputError
from tf_msgan.records import read_record


@dataclass(frozen=True)
class Table:
    tissues: tuple[str, ...]
    classes: Mapping[int, int]
    unlisted: int | None = None


@dataclass(frozen=True)
class Record:
    name: str
    dice: float
    spacing: tuple[float, float, float]
    table: Table
    history: list[dict[str, float]] = field(default_factory=list)
    phantoms: bool = False


RECORD = Record("a", 1, (1.0, 1, 2.5), Table(("CSF", "GM"), {10: 1, 150: 2}), [{"dice": 0.5}], True)


def test_what_was_written_is_read():
    assert read_record(Record, json.loads(json.dumps(asdict(RECORD))), "a.json") == RECORD


def test_defaults_stand_in_and_the_unknown_is_left_out():
    value = json.loads(json.dumps(asdict(RECORD)))
    del value["history"], value["phantoms"], value["table"]["unlisted"]
    read = read_record(Record, {**value, "later": 1}, "a.json")
    assert (read.history, read.phantoms, read.table) == ([], False, RECORD.table)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": 3}, "a.json: name: found 3; expected text"),
        ({"dice": True}, "a.json: dice: found True; expected a number"),
        ({"spacing": [1, 2]}, "a.json: spacing: found [1, 2]; expected a list of 3"),
        ({"spacing": [1, 2, "3"]}, "a.json: spacing[2]: found '3'; expected a number"),
        ({"spacing": 1}, "a.json: spacing: found 1; expected a list of 3"),
        ({"table": None}, "a.json: table: found None; expected a JSON object"),
        (
            {"table": {"tissues": [], "classes": {"x": 1}}},
            "a.json: table: classes: found the key 'x'; expected a whole",
        ),
        ({"table": {"tissues": [], "classes": {"1": 1.5}}}, "a.json: table: classes.1: found 1.5; expected a whole"),
        ({"table": {"tissues": "CSF", "classes": {}}}, "a.json: table: tissues: found 'CSF'; expected a list"),
        ({"table": {"tissues": []}}, "a.json: table: found no classes; expected what a Table has"),
        ({"table": {"tissues": [], "classes": {}, "unlisted": "no"}}, "a.json: table: unlisted: found 'no'; expected"),
        ({"history": [{"dice": "high"}]}, "a.json: history[0].dice: found 'high'; expected a number"),
        ({"phantoms": 1}, "a.json: phantoms: found 1; expected true or false"),
    ],
)
def test_another_type_is_refused_by_its_place(change, complaint):
    with pytest.raises(InputError) as raised:
        read_record(Record, {**json.loads(json.dumps(asdict(RECORD))), **change}, "a.json")
    assert str(raised.value).startswith(complaint)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "dice", "spacing", "table", "history", "phantoms"]), JSON) | JSON)
def test_any_json_is_read_or_refused(value):
    try:
        read = read_record(Record, value, "a.json")
    except InputError:
        return
    assert isinstance(read, Record) and isinstance(read.name, str) and len(read.spacing) == 3
