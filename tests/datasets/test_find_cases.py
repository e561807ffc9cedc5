"""Which files of a folder are whose."""

from pathlib import Path

import pytest

from tests.conftest import touch
from tf_msgan.datasets.cases import case_of_files, lack_modalities
from tf_msgan.datasets.find_cases import find_cases
from tf_msgan.errors import InputError

MODALITIES = ("T1", "T2")


def found(folder):
    cases = find_cases(folder, MODALITIES)
    return cases.naming, {
        (str(case.folder), case.id): [str(image.relative_to(folder)) for image in case.images] for case in cases.cases
    }


def test_nnunet(tmp_path):
    touch(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "b_7_0000.nii", "b_7_0001.nii", "dataset.json")
    assert found(tmp_path) == (
        "nnunet",
        {(".", "a"): ["a_0000.nii.gz", "a_0001.nii.gz"], (".", "b_7"): ["b_7_0000.nii", "b_7_0001.nii"]},
    )


def test_cases_numbered_like_channels(tmp_path):
    touch(tmp_path, "subj_0000.nii.gz", "subj_0001.nii.gz", "subj_0002.nii.gz")
    with pytest.raises(InputError, match=r"subj_0002\.nii\.gz: found channel 0002; expected 0000 to 0001: T1, T2"):
        find_cases(tmp_path, MODALITIES)


def test_bids(tmp_path):
    one, two = "sub-01/ses-1/anat/sub-01_ses-1", "sub-01/ses-2/anat/sub-01_ses-2"
    touch(tmp_path, "dataset_description.json", f"{one}_T1w.nii.gz", f"{one}_T2w.nii.gz", f"{one}_T1w.json")
    # The only T2 of a session serves whatever its acquisition is called.
    touch(tmp_path, f"{two}_T1w.nii.gz", f"{two}_acq-fast_T2w.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz")
    touch(tmp_path, "derivatives/fmriprep/sub-01/anat/sub-01_T1w.nii.gz", "sub-01/ses-1/func/sub-01_bold.nii.gz")
    assert found(tmp_path) == (
        "bids",
        {
            ("sub-01/ses-1/anat", "sub-01_ses-1"): [f"{one}_T1w.nii.gz", f"{one}_T2w.nii.gz"],
            ("sub-01/ses-2/anat", "sub-01_ses-2"): [f"{two}_T1w.nii.gz", f"{two}_acq-fast_T2w.nii.gz"],
            # Reading it will say that there is none.
            ("sub-02/anat", "sub-02"): ["sub-02/anat/sub-02_T1w.nii.gz", "sub-02/anat/sub-02_T2w.nii.gz"],
        },
    )


def test_files_side_by_side(tmp_path):
    touch(tmp_path, "subject-1-T1.hdr", "subject-1-T1.img", "subject-1-T2.hdr", "subject-1-label.hdr")
    touch(tmp_path, "ann_T1w.nii.gz", "ann_T1w.nii", "ann_T2w.nii.gz", "bob_T1.nii.gz")
    assert found(tmp_path) == (
        "plain",
        {
            (".", "ann"): ["ann_T1w.nii.gz", "ann_T2w.nii.gz"],
            (".", "bob"): ["bob_T1.nii.gz", "bob_T2.nii.gz"],
            (".", "subject-1"): ["subject-1-T1.hdr", "subject-1-T2.hdr"],
        },
    )


def test_files_side_by_side_as_others_call_them(tmp_path):
    """In small letters, skull-stripped by BET, and for a model whose modalities are called as in BIDS."""
    touch(tmp_path, "ann_t1.nii.gz", "ann_t2.nii.gz", "bob_T1w_brain.nii.gz", "bob_T2w_brain.nii.gz", "eve_t1.nii")
    for modalities, missing in ((MODALITIES, "eve_T2.nii"), (("T1w", "T2w"), "eve_T2w.nii")):
        cases = {case.id: [image.name for image in case.images] for case in find_cases(tmp_path, modalities).cases}
        assert cases == {
            "ann": ["ann_t1.nii.gz", "ann_t2.nii.gz"],
            "bob": ["bob_T1w_brain.nii.gz", "bob_T2w_brain.nii.gz"],
            # Reading it will say that there is none.
            "eve": ["eve_t1.nii", missing],
        }


def test_a_modality_whose_name_begins_another(tmp_path):
    """MRBrainS13: T1, T1_IR and T1_1mm lie side by side."""
    modalities = ("T1", "T1_IR", "T2_FLAIR")
    touch(tmp_path, "1/T1.nii", "1/T1_IR.nii", "1/T1_1mm.nii", "1/T2_FLAIR.nii")
    touch(tmp_path, "2/ann_T1_brain.nii", "2/ann_T1_IR_brain.nii", "2/ann_T2_FLAIR_brain.nii")
    first, second = find_cases(tmp_path, modalities).cases
    assert [path.name for path in first.images] == ["T1.nii", "T1_IR.nii", "T2_FLAIR.nii"]
    assert [path.name for path in second.images] == [
        *("ann_T1_brain.nii", "ann_T1_IR_brain.nii", "ann_T2_FLAIR_brain.nii")
    ]


@pytest.mark.parametrize("name", ["FLAIR", "T2_FLAIR", "t2-flair_brain"])
def test_a_flair_is_also_called_t2_flair(tmp_path, name):
    touch(tmp_path, "s1_T1.nii.gz", f"s1_{name}.nii.gz", "s1_T2.nii.gz")
    (case,) = find_cases(tmp_path, ("T1", "T2", "FLAIR")).cases
    assert case.id == "s1"
    assert [path.name for path in case.images] == ["s1_T1.nii.gz", "s1_T2.nii.gz", f"s1_{name}.nii.gz"]
    assert case_of_files([tmp_path / f"s1_{name}.nii.gz"], ("FLAIR",)).id == "s1"


def test_nobody_else_s_scan_stands_in(tmp_path):
    """A case's name holds that of a modality."""
    touch(tmp_path, "T10_T1.nii.gz", "T20_T1.nii.gz", "T20_T2.nii.gz")
    assert found(tmp_path)[1][".", "T10"] == ["T10_T1.nii.gz", "T10_T2.nii.gz"]


def test_hidden_files_are_nobody_s(tmp_path):
    """macOS leaves `._` files, and a kill half-written ones."""
    touch(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "._a_0000.nii.gz", ".tmp-host-1-a_0001.nii.gz")
    assert list(found(tmp_path)[1]) == [(".", "a")]


def test_a_folder_a_case(tmp_path):
    touch(tmp_path, "Template01/T1w_brain.nii.gz", "Template01/T2w_brain.nii.gz", "Template01/Segmentation.nii.gz")
    touch(tmp_path, "ann/t1.nii.gz", "ann/t2.nii.gz", "notes/readme.txt")
    touch(tmp_path, "eve/T1.nii.gz", "eve/T2_FLAIR.nii.gz")
    naming, cases = found(tmp_path)
    assert naming == "plain" and set(cases) == {(".", "Template01"), (".", "ann"), (".", "eve")}
    assert cases[".", "Template01"] == ["Template01/T1w_brain.nii.gz", "Template01/T2w_brain.nii.gz"]
    assert cases[".", "ann"] == ["ann/t1.nii.gz", "ann/t2.nii.gz"]
    # A FLAIR is no T2.
    assert cases[".", "eve"] == ["eve/T1.nii.gz", "eve/T2.nii.gz"]
    assert [path.name for path in find_cases(tmp_path, ("T1", "FLAIR")).cases[-1].images] == [
        *("T1.nii.gz", "T2_FLAIR.nii.gz")
    ]


@pytest.mark.parametrize(
    ("names", "first", "other"),
    [
        (("bob/a_T1.nii.gz", "bob/b_T1.nii.gz", "bob/T2.nii.gz"), "a_T1", "b_T1"),
        (("bob_T1.nii.gz", "bob_T1_brain.nii.gz", "bob_T2_brain.nii.gz"), "bob_T1", "bob_T1_brain"),
    ],
)
def test_two_files_of_one_modality(tmp_path, names, first, other):
    """Neither is taken, nor is the case segmented without."""
    touch(tmp_path, *names)
    (case,) = find_cases(tmp_path, MODALITIES).cases
    with pytest.raises(InputError, match=rf"{first}\.nii\.gz: found {other}\.nii\.gz beside it; expected one of them"):
        lack_modalities(case, MODALITIES, may_lack=True)


def test_no_scans(tmp_path):
    touch(tmp_path, "readme.txt", "T1/readme.txt")
    with pytest.raises(InputError, match=r"no scan of T1, T2; expected CASE_0000\.nii\.gz"):
        find_cases(tmp_path, MODALITIES)
    with pytest.raises(InputError, match="no such folder"):
        find_cases(tmp_path / "none", MODALITIES)


@pytest.mark.parametrize("where", ["", "imagesTs"])
def test_channels_are_named_by_the_description(tmp_path, where):
    """In the folder of the images, or above it."""
    (tmp_path / "dataset.json").write_text('{"channel_names": {"0": "FLAIR", "1": "T1", "2": "T2"}, "labels": {}}')
    folder = tmp_path / where
    touch(folder, "a_0000.nii.gz", "a_0001.nii.gz", "a_0002.nii.gz", "b_0000.nii.gz")
    (a, b) = find_cases(folder, MODALITIES).cases
    assert [path.name for path in a.images] == ["a_0001.nii.gz", "a_0002.nii.gz"]
    # Reading it will say that there is none.
    assert b.id == "b" and b.existing() == (None, None)
    with pytest.raises(
        InputError, match=r"dataset\.json: found the channels FLAIR, T1, T2; expected T1, PD among them"
    ):
        find_cases(folder, ("T1", "PD"))


def test_channels_are_found_from_within(tmp_path, monkeypatch):
    """Whatever the folder is called, and whether T1 is called T1w."""
    (tmp_path / "dataset.json").write_text('{"channel_names": {"0": "t2", "1": "T1w"}, "labels": {}}')
    touch(tmp_path / "imagesTs", "a_0000.nii.gz", "a_0001.nii.gz")
    monkeypatch.chdir(tmp_path / "imagesTs")
    (a,) = find_cases(Path("."), MODALITIES).cases
    assert [path.name for path in a.images] == ["a_0001.nii.gz", "a_0000.nii.gz"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"channel_names": 3}', '{"channel_names": {"0": "T2", "1": "T1"'])
def test_another_programs_description_is_let_be(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    touch(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz")
    assert found(tmp_path)[1] == {(".", "a"): ["a_0000.nii.gz", "a_0001.nii.gz"]}
