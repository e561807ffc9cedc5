"""Roles of subjects."""

import json
from pathlib import Path

import pytest

from tf_msgan.datasets.cohort import Cohort, Subject
from tf_msgan.datasets.layouts.iseg import LABELS as ISEG_LABELS
from tf_msgan.datasets.splits import SPLITS, read_split
from tf_msgan.errors import InputError

GOOD = {"train": ["1", "2"], "validation": ["3"], "unlabeled": ["6"], "test": ["4"]}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_named_splits_are_the_papers_protocol():
    sizes = {name: [len(ids) for ids in split.roles().values()] for name, split in SPLITS.items()}
    assert sizes == {
        "iseg-few-shot": [2, 1, 13, 7],
        "mrbrains-few-shot": [1, 1, 15, 3],
        "albert-few-shot": [2, 1, 7, 4],
    }
    assert SPLITS["albert-few-shot"].train == ("01", "07")
    for split in SPLITS.values():
        ids = [subject_id for role in split.roles().values() for subject_id in role]
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
        ({"train": []}, "found no subject for train"),
        ({"test": ["7"]}, "found no label map for test subject 7"),
        ({"extra": ["5"]}, "found the roles .*extra; expected"),
        ({"train": "1"}, "found '1' for train; expected a list"),
    ],
)
def test_wrong_files(tiny_cohort, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_split(write(tmp_path / "split.json", {**GOOD, **change}), tiny_cohort)


def cohort_of(labelled, unlabelled=2, held_out=0, root=Path("set")):
    """Subjects a, b, … with labels, then u0, u1, … without, then h0, … with labels that the layout holds out."""
    image, label = Path("image.nii.gz"), Path("label.nii.gz")
    subjects = [Subject(subject_id, (image,), label) for subject_id in "abcdefghij"[:labelled]]
    subjects += [Subject(f"u{n}", (image,), None) for n in range(unlabelled)]
    subjects += [Subject(f"h{n}", (image,), label, held_out=True) for n in range(held_out)]
    return Cohort("nnunet", root, ("T1",), ISEG_LABELS, {subject.id: subject for subject in subjects})


def roles(name, cohort, labeled=None):
    return ["".join(ids) for ids in read_split(name, cohort, labeled).roles().values()]


@pytest.mark.parametrize(
    ("labelled", "held_out", "labeled", "expected"),
    [
        (2, 0, None, ["a", "", "u0u1", "b"]),
        (3, 0, None, ["ab", "", "u0u1", "c"]),
        (4, 0, None, ["ab", "c", "u0u1", "d"]),
        (6, 0, 1, ["a", "b", "u0u1", "cdef"]),
        (6, 0, 4, ["abcd", "e", "u0u1", "f"]),
        (6, 0, 5, ["abcde", "", "u0u1", "f"]),
        (2, 1, None, ["ab", "", "u0u1", "h0"]),
        (3, 2, None, ["ab", "c", "u0u1", "h0h1"]),
        (1, 1, None, ["a", "", "u0u1", "h0"]),
    ],
)
def test_few_shot(labelled, held_out, labeled, expected):
    assert roles("few-shot", cohort_of(labelled, held_out=held_out), labeled) == expected
    assert roles(None, cohort_of(labelled, held_out=held_out), labeled) == expected


@pytest.mark.parametrize(("labelled", "parts"), [(2, 2), (3, 3), (5, 2), (10, 4)])
def test_folds_test_each_labelled_subject_once(labelled, parts):
    cohort = cohort_of(labelled, held_out=1)
    tested = []
    for part in range(1, parts + 1):
        split = read_split(f"fold:{part}/{parts}", cohort)
        assert split.train and split.unlabeled == ("u0", "u1")
        assert len(split.train) + len(split.validation) + len(split.test) == labelled
        assert len(split.validation) == (labelled - len(split.test) > 2)
        tested += split.test
    assert sorted(tested) == list("abcdefghij"[:labelled])


def test_leave_one_out_and_all():
    assert roles("leave-one-out:b", cohort_of(2)) == ["a", "", "u0u1", "b"]
    assert roles("leave-one-out:c", cohort_of(5)) == ["abd", "e", "u0u1", "c"]
    # Labels that are not asked for go unread.
    assert roles("leave-one-out:c", cohort_of(6), labeled=2) == ["ab", "d", "u0u1ef", "c"]
    assert roles("fold:1/3", cohort_of(6), labeled=1) == ["b", "c", "u0u1ef", "ad"]
    assert roles("all", cohort_of(3, held_out=1)) == ["abc", "", "u0u1", "h0"]


@pytest.mark.parametrize(
    ("name", "labelled", "labeled", "message"),
    [
        ("few-shot", 1, None, "found 1 labelled subjects; expected two"),
        ("few-shot", 4, 4, "^labeled: found 4; expected 1 to 3"),
        ("few-shot", 4, 0, "^labeled: found 0"),
        ("fold:3/2", 4, None, "found fold:3/2; expected fold:I/K with K in 2..4"),
        ("fold:1/5", 4, None, "found fold:1/5"),
        ("fold:1/2", 1, None, "found 1 labelled subjects; expected two"),
        ("leave-one-out:a", 1, None, "found 1 labelled subjects; expected two"),
        ("leave-one-out:x", 4, None, "found test subject x"),
        ("all", 4, 2, "^labeled: found the split all"),
        ("all", 0, None, "found no subject for train"),
    ],
)
def test_splits_that_cannot_be(name, labelled, labeled, message):
    with pytest.raises(InputError, match=message):
        read_split(name, cohort_of(labelled), labeled)


def test_what_a_layout_holds_out_is_tested_alone(tmp_path):
    content = {"train": ["a"], "validation": [], "unlabeled": ["h0"], "test": ["b"]}
    path = write(tmp_path / "split.json", content)
    with pytest.raises(InputError, match="found unlabeled subject h0; expected no other role than test"):
        read_split(path, cohort_of(2, held_out=1))


def test_unreadable_files(tiny_cohort, tmp_path):
    with pytest.raises(InputError, match="found no JSON"):
        read_split(write(tmp_path / "split.json", "{not json"), tiny_cohort)
    with pytest.raises(InputError, match="found no such file"):
        read_split(str(tmp_path / "absent.json"), tiny_cohort)
    with pytest.raises(InputError, match=r"^split: found no-such-split, an unknown name"):
        read_split("no-such-split", tiny_cohort)
