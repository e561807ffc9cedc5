"""The layout of BIDS."""

import json

import numpy as np
import pytest

from tests.conftest import save_nifti, tiny_brain, touch
from tests.datasets.tiny_sets import write_bids
from tf_msgan.datasets.check_scans import check_modalities
from tf_msgan.datasets.examine import compare
from tf_msgan.datasets.find_cases import find_cases
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_bids(tmp_path):
    root = write_bids(tmp_path)
    save_nifti(root / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz", tiny_brain(1)[0])
    # Neither a template's space, nor another program's second opinion, nor our own prediction is a label map.
    other = root / "derivatives" / "manual" / "sub-04" / "anat"
    save_nifti(other / "sub-04_space-MNI152NLin6Asym_dseg.nii.gz", tiny_brain(4)[2])
    save_nifti(other / "sub-04_desc-aseg_dseg.nii.gz", tiny_brain(4)[2])
    ours = root / "derivatives" / "ours"
    save_nifti(ours / "sub-05" / "anat" / "sub-05_dseg.nii.gz", tiny_brain(5)[2])
    (ours / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "tf_msgan"}]}')
    # Not as BIDS has it, and no reason to fall over.
    (root / "derivatives" / "manual" / "dataset_description.json").write_text('{"GeneratedBy": {"Name": "someone"}}')
    cohort = read_cohort(root)
    assert cohort.layout == "bids" and cohort.modalities == ("T1w", "T2w")
    assert [subject_id for subject_id, subject in cohort.subjects.items() if subject.label] == [
        "sub-01",
        "sub-02",
        "sub-03",
    ]
    assert np.array_equal(load_scan(cohort, "sub-02", True).labels, tiny_brain(2)[2])
    split = read_split(None, cohort)
    assert [len(ids) for ids in split.roles().values()] == [2, 0, 2, 1]


@pytest.mark.parametrize("where", ["derivatives", "derivatives/tf/run1"])
def test_own_predictions_are_no_truth(tmp_path, where):
    """Wherever under derivatives they were written, and whether or not their folder says whose they are."""
    root = write_bids(tmp_path)
    described, plain = (root / where / f"sub-0{n}" / "anat" for n in (4, 5))
    save_nifti(described / "sub-04_dseg.nii.gz", tiny_brain(4)[2])
    save_nifti(plain / "sub-05_dseg.nii.gz", tiny_brain(5)[2])
    (described / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "tf_msgan"}]}')
    (plain / "sub-05_dseg.json").write_text('{"GeneratedBy": "the run x", "OutlineFailed": false}')
    assert [subject_id for subject_id, s in read_cohort(root).subjects.items() if s.label] == [
        "sub-01",
        "sub-02",
        "sub-03",
    ]


def test_a_description_of_all_derivatives_hides_no_label_map(tmp_path):
    root = write_bids(tmp_path)
    (root / "derivatives" / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "tf_msgan"}]}')
    assert [subject_id for subject_id, s in read_cohort(root).subjects.items() if s.label] == [
        "sub-01",
        "sub-02",
        "sub-03",
    ]


def test_bids_subjects_called_as_in_no_bids(tmp_path):
    """With a hyphen or a letter of its own; each has its own label map, and is a person."""
    for subject in ("sub-HC-01", "sub-HC-02", "sub-é1"):
        save_nifti(tmp_path / subject / "anat" / f"{subject}_T1w.nii.gz", tiny_brain(1)[0])
    label = tmp_path / "derivatives/manual/sub-HC-02/anat/sub-HC-02_dseg.nii.gz"
    save_nifti(label, tiny_brain(1)[2])
    subjects = read_cohort(tmp_path).subjects
    assert {subject_id: s.label for subject_id, s in subjects.items()} == {
        "sub-HC-01": None,
        "sub-HC-02": label,
        "sub-é1": None,
    }
    assert {s.person for s in subjects.values()} == set(subjects)


def test_a_described_map_is_taken_where_there_is_no_plain_one(tmp_path):
    root = write_bids(tmp_path)
    path = root / "derivatives/manual/sub-04/anat/sub-04_desc-manual_dseg.nii.gz"
    save_nifti(path, np.array([0, 3, 1, 2], np.uint8)[tiny_brain(4)[2]])
    save_nifti(root / "derivatives/manual/sub-03/anat/sub-03_desc-first_dseg.nii.gz", tiny_brain(3)[2])
    cohort = read_cohort(root)
    assert cohort.subjects["sub-04"].label == path
    assert cohort.subjects["sub-03"].label.name == "sub-03_dseg.nii.gz"


def test_label_maps_with_different_tables_are_refused(tmp_path):
    root = write_bids(tmp_path)
    (root / "derivatives/manual/dseg.tsv").write_text("index\tname\n1\tGM\n2\tWM\n3\tCSF\n")
    save_nifti(root / "derivatives/other/sub-04/anat/sub-04_dseg.nii.gz", tiny_brain(4)[2])
    (root / "derivatives/other/dseg.tsv").write_text("index\tname\n1\tCSF\n2\tGM\n3\tWM\n")
    with pytest.raises(InputError, match=r"sub-04_dseg.nii.gz: found other codes; expected those of .*sub-01"):
        read_cohort(root)
    # As the message says.
    assert read_cohort(root, labels="bids").labels.tissues == ("CSF", "GM", "WM")


def test_all_scans_of_a_person_are_on_one_side(tmp_path):
    for person in (1, 2, 3):
        for session in (1, 2):
            name = f"sub-{person}_ses-{session}"
            anat = f"sub-{person}/ses-{session}/anat"
            save_nifti(tmp_path / anat / f"{name}_T1w.nii.gz", tiny_brain(10 * person + session)[0])
            if person < 3 or session == 1:
                save_nifti(tmp_path / "derivatives/x" / anat / f"{name}_dseg.nii.gz", tiny_brain(1)[2])
    cohort = read_cohort(tmp_path)
    assert [subject.person for subject in cohort.subjects.values()] == [f"sub-{n}" for n in (1, 1, 2, 2, 3, 3)]
    for name in ("few-shot", "fold:1/3", "fold:2/3", "fold:3/3", "leave-one-out:sub-1_ses-1", "all"):
        split = read_split(name, cohort)
        sides = ((*split.train, *split.unlabeled), split.validation, split.test)
        train, validation, test = ({subject_id[:5] for subject_id in ids} for ids in sides)
        assert not (train & validation or train & test or validation & test), name
    split = tmp_path / "split.json"
    roles = {"train": ["sub-1_ses-1"], "validation": [], "unlabeled": ["sub-2_ses-2"], "test": ["sub-2_ses-1"]}
    split.write_text(json.dumps(roles))
    with pytest.raises(InputError, match="expected all scans of one person on one side"):
        read_split(str(split), cohort)


def test_two_runs_do_not_share_an_image_or_a_label_map(tmp_path):
    root = write_bids(tmp_path)
    anat = root / "sub-06" / "anat"
    for run in (1, 2):
        save_nifti(anat / f"sub-06_run-{run}_T1w.nii.gz", tiny_brain(60 + run)[0])
    save_nifti(anat / "sub-06_T2w.nii.gz", tiny_brain(6)[1])
    save_nifti(root / "derivatives/manual/sub-06/anat/sub-06_dseg.nii.gz", tiny_brain(6)[2])
    subjects = read_cohort(root).subjects
    assert subjects["sub-06_run-1"].images[1].name == "sub-06_T2w.nii.gz" and subjects["sub-06_run-1"].label
    assert subjects["sub-06_run-2"].images[1] is None and subjects["sub-06_run-2"].label is None


def test_the_number_of_a_run_is_a_number(tmp_path):
    root = write_bids(tmp_path)
    save_nifti(root / "sub-06/anat/sub-06_run-01_T1w.nii.gz", tiny_brain(6)[0])
    save_nifti(root / "derivatives/manual/sub-06/anat/sub-06_run-1_dseg.nii.gz", tiny_brain(6)[2])
    assert read_cohort(root).subjects["sub-06_run-01"].label.name == "sub-06_run-1_dseg.nii.gz"
    # Other entities are names.
    save_nifti(root / "sub-07/anat/sub-07_acq-01_T1w.nii.gz", tiny_brain(7)[0])
    save_nifti(root / "derivatives/manual/sub-07/anat/sub-07_acq-1_dseg.nii.gz", tiny_brain(7)[2])
    assert read_cohort(root).subjects["sub-07_acq-01"].label is None


def test_a_label_map_is_of_the_scan_with_its_entities(tmp_path):
    root = write_bids(tmp_path)
    for name in ("sub-06", "sub-06_ce-gd"):
        save_nifti(root / f"sub-06/anat/{name}_T1w.nii.gz", tiny_brain(6 + len(name))[0])
        save_nifti(root / f"sub-06/anat/{name}_T2w.nii.gz", tiny_brain(6 + len(name))[1])
    manual = root / "derivatives/manual/sub-06/anat"
    save_nifti(manual / "sub-06_ce-gd_space-T1w_res-1_desc-manual_dseg.nii.gz", tiny_brain(6)[2])
    subjects = read_cohort(root).subjects
    assert subjects["sub-06"].label is None and subjects["sub-06_ce-gd"].label


def test_unlabelled_scans_that_lack_a_modality_train_only_if_they_may(tmp_path):
    root = write_bids(tmp_path)
    save_nifti(root / "sub-06/anat/sub-06_T1w.nii.gz", tiny_brain(6)[0])
    cohort = read_cohort(root)
    assert cohort.subjects["sub-06"].label is None and cohort.subjects["sub-06"].images[1] is None
    for name in (None, "all", "fold:1/2"):
        split, with_it = (read_split(name, cohort, may_lack_modality=may) for may in (False, True))
        check_modalities(cohort, split, may_lack_modality=False)
        assert with_it.unlabeled == (*split.unlabeled, "sub-06") and with_it.train == split.train


def test_a_modality_that_a_labelled_scan_lacks_is_left_out_and_named(tmp_path):
    root = write_bids(tmp_path)
    assert not read_cohort(root).left_out
    (root / "sub-02/anat/sub-02_T2w.nii.gz").unlink()
    cohort = read_cohort(root)
    assert cohort.modalities == ("T1w",) and cohort.left_out == {"T2w": "sub-02"}
    (problem,) = compare(cohort, [])
    assert problem.text == "T2w is not used: sub-02 is labelled and has none"


def test_bids_tables(tmp_path):
    root = write_bids(tmp_path)
    rows = "index\tname\n0\tbackground\n1\tcortex\n2\twhite\n3\tignore\n"
    (root / "derivatives" / "manual" / "dseg.tsv").write_text(rows)
    cohort = read_cohort(root)
    assert cohort.labels.tissues == ("cortex", "white")
    assert cohort.labels.classes == {0: 0, 1: 1, 2: 2, 3: IGNORE}
    assert read_cohort(root, labels="freesurfer").labels.tissues == ("CSF", "GM", "WM")
    table = tmp_path / "mine.tsv"
    table.write_text("index\tname\n1\tbrain\n2\tbrain\n3\tCSF\n")
    assert read_cohort(root, labels=str(table)).labels.classes == {0: 0, 1: 1, 2: 1, 3: 2}
    for content, message in [
        ("a\tb\n1\t2\n", "other content"),
        ("index\tname\nx\ty\n", "other content"),
        ("index\tname\n1\ta\n1\tb\n", "other content"),
        ("index\tname\n1\t\n", "a code without a name"),
    ]:
        table.write_text(content)
        with pytest.raises(InputError, match=message):
            read_cohort(root, labels=str(table))
    with pytest.raises(
        InputError, match=r"found aseg, an unknown table; expected one of freesurfer, bids, or a file\.tsv"
    ):
        read_cohort(root, labels="aseg")


def test_bids_sessions_and_two_maps(tmp_path):
    root = write_bids(tmp_path)
    anat = root / "sub-06" / "ses-1" / "anat"
    save_nifti(anat / "sub-06_ses-1_T1w.nii.gz", tiny_brain(6)[0])
    save_nifti(anat / "sub-06_ses-1_acq-fast_T2w.nii.gz", tiny_brain(6)[1])
    label = root / "derivatives/manual/sub-06/ses-1/anat/sub-06_ses-1_dseg.nii.gz"
    save_nifti(label, np.array([0, 3, 1, 2], np.uint8)[tiny_brain(6)[2]])
    cohort = read_cohort(root)
    assert cohort.subjects["sub-06_ses-1"].label == label
    assert all(cohort.subjects["sub-06_ses-1"].images)
    save_nifti(root / "derivatives/second/sub-02/anat/sub-02_dseg.nii.gz", tiny_brain(2)[2])
    with pytest.raises(InputError, match=r"found the label maps .*manual.*second.*; expected one for sub-02"):
        read_cohort(root)


def test_bids_behind_links_is_found(tmp_path):
    """Sessions, and derivatives, that are links into other data sets."""
    root, store = tmp_path / "bids", tmp_path / "store"
    touch(root, "sub-01/anat/sub-01_T1w.nii.gz")
    touch(store, "ses-1/anat/sub-02_ses-1_T1w.nii.gz")
    touch(store, "labels/sub-01/sub-01_dseg.nii.gz")
    (root / "sub-02").mkdir()
    (root / "sub-02/ses-1").symlink_to(store / "ses-1")
    (root / "derivatives").mkdir()
    (root / "derivatives/manual").symlink_to(store / "labels")
    cohort = read_cohort(root)
    assert list(cohort.subjects) == ["sub-01", "sub-02_ses-1"]
    assert cohort.subjects["sub-01"].label == root / "derivatives/manual/sub-01/sub-01_dseg.nii.gz"
    assert [case.id for case in find_cases(root, ["T1w"]).cases] == ["sub-01", "sub-02_ses-1"]


def test_a_link_beside_what_it_leads_to_changes_nothing(tmp_path):
    """As `ses-latest` and `derivatives/latest`."""
    touch(tmp_path, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz")
    touch(tmp_path, "derivatives/v2/sub-01/sub-01_ses-1_dseg.nii.gz")
    (tmp_path / "sub-01/ses-0").symlink_to(tmp_path / "sub-01/ses-1")
    (tmp_path / "derivatives/latest").symlink_to(tmp_path / "derivatives/v2")
    cohort = read_cohort(tmp_path)
    (subject,) = cohort.subjects.values()
    assert subject.images == (tmp_path / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",)
    assert subject.label == tmp_path / "derivatives/v2/sub-01/sub-01_ses-1_dseg.nii.gz"
