"""Layouts are told apart, and modalities are chosen from any."""

import json

import pytest

from tests.conftest import save_nifti, tiny_brain
from tests.datasets.tiny_sets import write_bids, write_nnunet
from tf_msgan.datasets.examine import compare
from tf_msgan.datasets.layouts import LAYOUTS, present_name, read_cohort
from tf_msgan.errors import InputError


def test_folder_without_subjects(tmp_path):
    for layout in ("iseg", "albert"):
        with pytest.raises(InputError, match="expected the"):
            read_cohort(tmp_path, layout)


def test_a_subject_that_lacks_the_first_modality_is_seen(tmp_path):
    write_nnunet(tmp_path / "set")
    (tmp_path / "set/imagesTr/case_02_0000.nii.gz").unlink()
    assert read_cohort(tmp_path / "set").subjects["case_02"].images[0] is None
    write_bids(tmp_path / "bids")
    (tmp_path / "bids/sub-05/anat/sub-05_T1w.nii.gz").unlink()
    assert read_cohort(tmp_path / "bids").subjects["sub-05"].images[0] is None


def test_label_maps_that_fit_no_scan_are_named(tmp_path):
    root = write_bids(tmp_path / "bids")
    assert not read_cohort(root).stray
    stray = [root / f"derivatives/manual/sub-{n}/anat/sub-{n}_dseg.nii.gz" for n in ("88", "99")]
    for path in stray:
        save_nifti(path, tiny_brain(1)[2])
    cohort = read_cohort(root)
    assert cohort.stray == tuple(stray)
    (problem,) = compare(cohort, [])
    assert problem.severity == "warning" and problem.text == f"label maps that fit no scan: 2, such as {stray[0]}"

    write_nnunet(tmp_path / "set")
    assert not read_cohort(tmp_path / "set").stray
    path = save_nifti(tmp_path / "set/labelsTr/case-02.nii.gz", tiny_brain(1)[2])
    # Of a case that is held out, and in the wrong folder.
    held_out = save_nifti(tmp_path / "set/labelsTr/case_09.nii.gz", tiny_brain(1)[2])
    save_nifti(tmp_path / "set/imagesTs/case_09_0000.nii.gz", tiny_brain(1)[0])
    assert read_cohort(tmp_path / "set").stray == (path, held_out)


def test_layouts_are_recognised(tmp_path, tiny_folder):
    assert set(LAYOUTS) == {"iseg", "mrbrains", "albert", "nnunet", "bids"}
    assert read_cohort(tiny_folder).layout == "iseg"
    with pytest.raises(InputError, match="found no layout that is known; expected one of iseg"):
        read_cohort(tmp_path / "tiny" / "..")


def test_some_modalities_of_every_layout(tmp_path, tiny_folder):
    bids, nnunet = write_bids(tmp_path / "bids"), write_nnunet(tmp_path / "nnunet")
    for root, asked, name in (
        (tiny_folder, "T2", "T2"),
        (nnunet, "T2", "T2"),
        (bids, "T2", "T2w"),
        (bids, "T2w", "T2w"),
    ):
        whole, part = read_cohort(root), read_cohort(root, modalities=[asked])
        assert part.modalities == (name,) and list(part.subjects) == list(whole.subjects)
        for subject_id, subject in part.subjects.items():
            assert (
                subject.images == whole.subjects[subject_id].images[1:]
                and subject.label == whole.subjects[subject_id].label
            )
    turned = read_cohort(tiny_folder, modalities=["T2", "T1"])
    assert turned.subjects["1"].images == read_cohort(tiny_folder).subjects["1"].images[::-1]


def test_modalities_that_are_not_there_are_refused(tmp_path, tiny_folder):
    for asked, message in (
        (["FLAIR"], "no modality FLAIR; expected some of T1, T2"),
        (["T1", "T1"], "the modalities T1, T1; expected one or more, each once"),
        ([], "the modalities none"),
    ):
        with pytest.raises(InputError, match=message):
            read_cohort(tiny_folder, modalities=asked)
    bids = write_bids(tmp_path)
    (bids / "sub-01/anat/sub-01_T2w.nii.gz").unlink()
    with pytest.raises(InputError, match="found labelled sub-01 without T2; expected some of T1w"):
        read_cohort(bids, modalities=["T2"])


def test_former_names_of_layouts_stand(tmp_path):
    assert all(present_name(name) == name for name in LAYOUTS)
    t1, _, classes = tiny_brain(1)
    save_nifti(tmp_path / "imagesTr/a_0000.nii.gz", t1)
    save_nifti(tmp_path / "labelsTr/a.nii.gz", classes)
    labels = {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1"}, "labels": labels}))
    assert read_cohort(tmp_path, "folder") == read_cohort(tmp_path, "nnunet") == read_cohort(tmp_path)
    with pytest.raises(InputError, match="the layout nnUNet: found none of that name; expected one of iseg"):
        read_cohort(tmp_path, "nnUNet")
