"""Roles of subjects."""

import json

import pytest

from tf_msgan.data.splits import SPLITS, read_split
from tf_msgan.errors import InputError

GOOD = {"train": ["1", "2"], "validation": ["3"], "unlabeled": ["6"], "test": ["4"]}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_named_splits_are_the_papers_protocol():
    sizes = {name: [len(ids) for ids in split.roles().values()] for name, split in SPLITS.items()}
    assert sizes == {"iseg-few-shot": [2, 1, 13, 7], "albert-few-shot": [2, 1, 7, 4]}
    assert SPLITS["albert-few-shot"].train == ("01", "07")
    for split in SPLITS.values():
        ids = [id for role in split.roles().values() for id in role]
        assert len(ids) == len(set(ids))


def test_file(tiny_cohort, tmp_path):
    split = read_split(write(tmp_path / "split.json", GOOD), tiny_cohort)
    assert split.train == ("1", "2") and split.unlabeled == ("6",)
    assert read_split(write(tmp_path / "numbers.json", {**GOOD, "train": [1, 2]}), tiny_cohort) == split


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": ["1"]}, "found subject 1 in train and test"),
        ({"unlabeled": ["4"]}, "found subject 4 in unlabeled and test"),
        ({"train": ["1", "1"]}, "found subject 1 in train and train"),
        ({"test": ["99"]}, "found test subject 99"),
        ({"validation": []}, "found no subject for validation"),
        ({"test": ["7"]}, "found no label map for test subject 7"),
        ({"extra": ["5"]}, "found other content"),
        ({"train": "1"}, "found other content"),
    ],
)
def test_wrong_files(tiny_cohort, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_split(write(tmp_path / "split.json", {**GOOD, **change}), tiny_cohort)


def test_unreadable_files(tiny_cohort, tmp_path):
    with pytest.raises(InputError, match="found no JSON"):
        read_split(write(tmp_path / "split.json", "{not json"), tiny_cohort)
    with pytest.raises(InputError, match="found no such file"):
        read_split(str(tmp_path / "absent.json"), tiny_cohort)
    with pytest.raises(InputError, match="found an unknown name"):
        read_split("no-such-split", tiny_cohort)
