"""Cases of files, of a list, and in shards."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import touch
from tf_msgan.datasets.cases import Case, case_of_files, read_case_list, take_shard
from tf_msgan.errors import InputError

MODALITIES = ("T1", "T2")


@pytest.mark.parametrize(
    ("first", "subject_id"),
    [
        ("ann_T1.nii.gz", "ann"),
        ("sub-01_ses-2_T1w.nii.gz", "sub-01_ses-2"),
        ("subject-3-T1.hdr", "subject-3"),
        ("brain_0000.nii.gz", "brain"),
        ("scan.nii", "scan"),
        ("x.y_t1w.nii.gz", "x.y"),
        ("inside/T1.nii.gz", "inside"),
        ("inside/T1w_brain.nii.gz", "inside"),
        ("ann_T1_brain.nii", "ann"),
    ],
)
def test_id_of_a_scan(tmp_path, first, subject_id):
    touch(tmp_path, first, "other.nii.gz")
    assert case_of_files([tmp_path / first, tmp_path / "other.nii.gz"], MODALITIES).id == subject_id


def test_id_of_a_link_into_a_store(tmp_path):
    touch(tmp_path, "store/ab/SHA.nii.gz", "T2.nii.gz")
    (tmp_path / "sub01").mkdir()
    (tmp_path / "sub01/T1.nii.gz").symlink_to(tmp_path / "store/ab/SHA.nii.gz")
    assert case_of_files([tmp_path / "sub01/T1.nii.gz", tmp_path / "T2.nii.gz"], MODALITIES).id == "sub01"


def test_wrong_files(tmp_path):
    touch(tmp_path, "a.nii")
    with pytest.raises(InputError, match="1 files; expected 2: T1, T2"):
        case_of_files([tmp_path / "a.nii"], MODALITIES)
    with pytest.raises(InputError, match=r"b\.nii: found no such file"):
        case_of_files([tmp_path / "a.nii", tmp_path / "b.nii"], MODALITIES)


def test_list(tmp_path):
    touch(tmp_path, "ann_T1.nii", "ann_T2.nii", "bob_T1.nii", "bob_T2.nii")
    table = tmp_path / "cases.tsv"
    table.write_text("ann_T1.nii\tann_T2.nii\n\nbob_T1.nii\tbob_T2.nii\n")
    assert [case.id for case in read_case_list(table, MODALITIES).cases] == ["ann", "bob"]
    # As spreadsheets write it.
    table.write_bytes(b"\xef\xbb\xbfbob_T1.nii\tbob_T2.nii\n")
    assert [case.id for case in read_case_list(table, MODALITIES).cases] == ["bob"]
    table.write_bytes("ann_T1.nii\tänn_T2.nii\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_case_list(table, MODALITIES)
    table.write_text("ann_T1.nii\tann_T2.nii\n" * 2)
    with pytest.raises(InputError, match="the case ann again"):
        read_case_list(table, MODALITIES)
    for line, message in (("none", r"cases\.tsv, line 2: found 1 files"), ("none\tnone", "line 2: found none alone")):
        table.write_text(f"ann_T1.nii\tann_T2.nii\n{line}\n")
        with pytest.raises(InputError, match=message):
            read_case_list(table, MODALITIES)
    table.write_text("\n")
    with pytest.raises(InputError, match="no case"):
        read_case_list(table, MODALITIES)
    with pytest.raises(InputError, match="no such file"):
        read_case_list(tmp_path / "none.tsv", MODALITIES)


@given(st.integers(0, 40), st.integers(1, 12))
def test_shards_share_the_cases_out(count, parts):
    cases = [Case(str(n), (Path("x"),)) for n in range(count)]
    shares = [take_shard(cases, f"{part}/{parts}") for part in range(1, parts + 1)]
    assert sorted((c.id for share in shares for c in share), key=int) == [c.id for c in cases]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0", "1/2/3", "-1/2"])
def test_no_shard(shard):
    with pytest.raises(InputError, match=r"^shard: found"):
        take_shard([], shard)
