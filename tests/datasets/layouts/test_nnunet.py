"""The layout of nnU-Net."""

import json

import numpy as np
import pytest

from tests.conftest import save_nifti, tiny_brain
from tests.datasets.tiny_sets import write_nnunet
from tf_msgan.datasets.check_scans import check_scans
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError
from tf_msgan.preprocessing.reserved_values import IGNORE


@pytest.mark.parametrize("version", [1, 2])
def test_nnunet_folder(tmp_path, version):
    cohort = read_cohort(write_nnunet(tmp_path / "set", version=version))
    assert cohort.layout == "nnunet" and cohort.modalities == ("T1", "T2")
    assert cohort.labels.tissues == ("CSF", "GM", "WM")
    assert [subject_id for subject_id, s in cohort.subjects.items() if s.held_out] == ["case_06", "case_07"]
    split = read_split(None, cohort)
    assert split.train == ("case_01", "case_02") and split.validation == ("case_03",)
    assert split.unlabeled == ("case_04", "case_05") and split.test == ("case_06",)
    check_scans(cohort, split)
    assert choose_preparation(cohort, split).crop == "brain"


def test_nnunet_labels(tmp_path):
    """Any number of tissues, and nnU-Net's own label for what is not to be counted."""
    names = {"background": 0, "csf": 1, "grey": 2, "ignore": 3}
    cohort = read_cohort(write_nnunet(tmp_path / "a", names=names))
    assert cohort.labels.tissues == ("csf", "grey")
    assert set(np.unique(load_scan(cohort, "case_01", True).labels)) == {0, 1, 2, IGNORE}
    # A tissue may be missing in a subject, but not in all that train.
    names = {"background": 0, "csf": 1, "grey": 2, "white": 3, "lesion": 4}
    cohort = read_cohort(write_nnunet(tmp_path / "b", names=names))
    assert load_scan(cohort, "case_01", True).labels.max() == 3
    with pytest.raises(InputError, match="found no voxel of lesion in any training subject"):
        check_scans(cohort, read_split(None, cohort))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "found other content"),
        ("[1]", "found other content"),
        ('{"channel_names": {"0": "T1"}}', "found other content"),
        ('{"channel_names": {"0": "T1"}, "labels": {"background": 0}}', "found 0 tissues"),
        ('{"channel_names": {"0": "T1"}, "labels": {"background": 0, "whole": [1, 2]}}', "found regions"),
        ('{"channel_names": {"0": "T1", "1": "T1"}, "labels": {"a": 1}}', "found the channels T1, T1"),
        ('{"channel_names": {"0": "T1", "2": "T2"}, "labels": {"a": 1}}', "found other content"),
        ('{"channel_names": {"0": "T1"}, "labels": {"a": 1, "b": 1}}', "found other content"),
        ('{"channel_names": {"0": "T1"}, "labels": {"a": 1.9}}', "found other content"),
    ],
)
def test_wrong_descriptions(tmp_path, content, message):
    root = write_nnunet(tmp_path / "set")
    (root / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_cohort(root)


def test_nnunet_codes_in_place_of_regions(tmp_path):
    root = write_nnunet(tmp_path / "set")
    labels = {"background": 0, "whole": [1, 2, 3], "inner": [2, 3]}
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "labels": labels}))
    table = tmp_path / "mine.tsv"
    table.write_text("index\tname\n1\touter\n2\tinner\n3\tinner\n")
    assert read_cohort(root, labels=str(table)).labels.tissues == ("outer", "inner")


def test_a_folder_without_its_description(tmp_path):
    root = write_nnunet(tmp_path / "set")
    (root / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"dataset\.json: found no such file"):
        read_cohort(root)


def test_a_case_in_two_folders(tmp_path):
    root = write_nnunet(tmp_path / "set")
    save_nifti(root / "imagesUn" / "case_01_0000.nii.gz", tiny_brain(9)[0])
    with pytest.raises(InputError, match="found the case case_01 again"):
        read_cohort(root)


def test_an_unlabelled_scan_without_the_modality_is_left_out(tmp_path):
    root = write_nnunet(tmp_path / "set")
    (root / "imagesUn/case_04_0001.nii.gz").unlink()
    assert "case_04" in read_cohort(root, modalities=["T1"]).subjects
    assert "case_04" not in read_cohort(root, modalities=["T2"]).subjects
