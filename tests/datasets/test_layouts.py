"""Layouts, on real files of tiny brains."""

import json

import numpy as np
import pytest

from tests.conftest import save_nifti, tiny_brain
from tf_msgan.datasets.check_scans import check_modalities, check_scans
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.cohort import read_labels
from tf_msgan.datasets.examine import compare
from tf_msgan.datasets.layouts import LAYOUTS, read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError
from tf_msgan.io.images import read_images
from tf_msgan.preprocessing.reserved_values import IGNORE


def write_mrbrains(root, training=2, test=2, coding="LabelsForTraining"):
    affine = np.diag([0.958, 0.958, 3.0, 1.0])
    for part, count in (("TrainingData", training), ("TestData", test)):
        for number in range(1, count + 1):
            folder = root / part / str(number)
            t1, t2, classes = tiny_brain(number + 10 * (part == "TestData"), shape=(30, 28, 10))
            save_nifti(folder / "T1.nii", t1 + 20, affine)
            save_nifti(folder / "T1_IR.nii", t2 + 20, affine)
            save_nifti(folder / "T2_FLAIR.nii", (t1 + t2) // 2 + 20, affine)
            save_nifti(folder / "T1_1mm.nii", np.ones((30, 28, 30), np.int16), np.eye(4))
            if part == "TrainingData":
                codes = np.array([0, 5, 1, 3], np.uint8)[classes]
                codes[classes == 2] = np.where(np.arange(np.sum(classes == 2)) % 2, 1, 2)
                codes[:8][classes[:8] > 0] = 7
                codes[:, :6][classes[:, :6] > 0] = 8
                if coding == "LabelsForTesting":
                    codes = np.array([0, 2, 2, 3, 3, 1, 1, 0, 0], np.uint8)[codes]
                save_nifti(folder / f"{coding}.nii", codes, affine)
    return root


def test_mrbrains(tmp_path):
    cohort = read_cohort(write_mrbrains(tmp_path, training=2, test=11))
    assert cohort.layout == "mrbrains" and cohort.modalities == ("T1", "T1_IR", "T2_FLAIR")
    assert list(cohort.subjects) == ["training-1", "training-2", *(f"test-{n}" for n in range(1, 12))]
    names = [path.name for path in cohort.subjects["test-10"].images]
    assert names == ["T1.nii", "T1_IR.nii", "T2_FLAIR.nii"]  # and never T1_1mm
    assert cohort.subjects["test-1"].label is None

    split = read_split(None, cohort)
    assert split.train == ("training-1",) and split.test == ("training-2",) and len(split.unlabeled) == 11
    preparation = choose_preparation(cohort, split)
    assert preparation.crop == "nonzero" and preparation.spacing == (0.958, 0.958, 3.0)
    assert preparation.block(32, 8) == (48, 48, 16) and preparation.block(64, 32) == (96, 96, 32)

    scan = load_scan(cohort, "training-1", True, preparation)
    assert set(np.unique(scan.labels)) == {0, 1, 2, 3, IGNORE}
    assert np.array_equal(scan.foreground, np.isin(scan.labels, [1, 2, 3]))
    unlabelled = load_scan(cohort, "test-1", False, preparation)
    assert 0.1 < unlabelled.foreground.mean() < 0.9 and unlabelled.mask.all()


def test_mrbrains_codings(tmp_path):
    """Eight structures are merged to three; the coding for tests has the three, and cannot tell what to ignore."""
    eight, three = (
        read_cohort(write_mrbrains(tmp_path / coding, coding=coding), "mrbrains")
        for coding in ("LabelsForTraining", "LabelsForTesting")
    )
    a, b = (load_scan(cohort, "training-1", True).labels for cohort in (eight, three))
    counted = a != IGNORE
    assert np.array_equal(a[counted], b[counted]) and not b[~counted].any() and (~counted).any()
    second = tmp_path / "LabelsForTraining" / "TrainingData" / "2"
    (second / "LabelsForTraining.nii").rename(second / "LabelsForTesting.nii")
    with pytest.raises(InputError, match="found labelled subjects with different codings"):
        read_cohort(tmp_path / "LabelsForTraining")


def write_folder(root, labelled=3, names=None, version=2):
    labels = names or {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    if version == 2:
        description = {"channel_names": {"0": "T1", "1": "T2"}, "labels": labels, "file_ending": ".nii.gz"}
    else:
        description = {"modality": {"0": "T1", "1": "T2"}, "labels": {str(code): name for name, code in labels.items()}}
    root.mkdir(parents=True)
    (root / "dataset.json").write_text(json.dumps(description))
    for number in range(1, labelled + 5):
        part = "Tr" if number <= labelled else "Un" if number <= labelled + 2 else "Ts"
        t1, t2, classes = tiny_brain(number)
        for channel, image in enumerate((t1, t2)):
            save_nifti(root / f"images{part}" / f"case_{number:02}_{channel:04}.nii.gz", image)
        if part == "Tr" or number == labelled + 3:
            save_nifti(root / f"labels{part}" / f"case_{number:02}.nii.gz", classes)
    return root


@pytest.mark.parametrize("version", [1, 2])
def test_nnunet_folder(tmp_path, version):
    cohort = read_cohort(write_folder(tmp_path / "set", version=version))
    assert cohort.layout == "nnunet" and cohort.modalities == ("T1", "T2")
    assert cohort.labels.tissues == ("CSF", "GM", "WM")
    assert [id for id, s in cohort.subjects.items() if s.held_out] == ["case_06", "case_07"]
    split = read_split(None, cohort)
    assert split.train == ("case_01", "case_02") and split.validation == ("case_03",)
    assert split.unlabeled == ("case_04", "case_05") and split.test == ("case_06",)
    check_scans(cohort, split)
    assert choose_preparation(cohort, split).crop == "brain"


def test_nnunet_labels(tmp_path):
    """Any number of tissues, and nnU-Net's own label for what is not to be counted."""
    names = {"background": 0, "csf": 1, "grey": 2, "ignore": 3}
    cohort = read_cohort(write_folder(tmp_path / "a", names=names))
    assert cohort.labels.tissues == ("csf", "grey")
    assert set(np.unique(load_scan(cohort, "case_01", True).labels)) == {0, 1, 2, IGNORE}
    # A tissue may be missing in a subject, but not in all that train.
    names = {"background": 0, "csf": 1, "grey": 2, "white": 3, "lesion": 4}
    cohort = read_cohort(write_folder(tmp_path / "b", names=names))
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
    root = write_folder(tmp_path / "set")
    (root / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_cohort(root)


def test_nnunet_codes_in_place_of_regions(tmp_path):
    root = write_folder(tmp_path / "set")
    labels = {"background": 0, "whole": [1, 2, 3], "inner": [2, 3]}
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "labels": labels}))
    table = tmp_path / "mine.tsv"
    table.write_text("index\tname\n1\touter\n2\tinner\n3\tinner\n")
    assert read_cohort(root, labels=str(table)).labels.tissues == ("outer", "inner")


def test_a_folder_without_its_description(tmp_path):
    root = write_folder(tmp_path / "set")
    (root / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"dataset\.json: found no such file"):
        read_cohort(root)


def test_a_case_in_two_folders(tmp_path):
    root = write_folder(tmp_path / "set")
    save_nifti(root / "imagesUn" / "case_01_0000.nii.gz", tiny_brain(9)[0])
    with pytest.raises(InputError, match="found the case case_01 again"):
        read_cohort(root)


def write_bids(root, labelled=3, subjects=5):
    """GM 1, WM 2, CSF 3, as BIDS recommends."""
    for number in range(1, subjects + 1):
        t1, t2, classes = tiny_brain(number)
        anat = root / f"sub-{number:02}" / "anat"
        save_nifti(anat / f"sub-{number:02}_T1w.nii.gz", t1)
        save_nifti(anat / f"sub-{number:02}_T2w.nii.gz", t2)
        if number <= labelled:
            codes = np.array([0, 3, 1, 2], np.uint8)[classes]
            save_nifti(root / f"derivatives/manual/sub-{number:02}/anat/sub-{number:02}_dseg.nii.gz", codes)
    (root / "dataset_description.json").write_text('{"Name": "tiny", "BIDSVersion": "1.9.0"}')
    return root


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
    assert [id for id, subject in cohort.subjects.items() if subject.label] == ["sub-01", "sub-02", "sub-03"]
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
    assert [id for id, s in read_cohort(root).subjects.items() if s.label] == ["sub-01", "sub-02", "sub-03"]


def test_a_description_of_all_derivatives_hides_no_label_map(tmp_path):
    root = write_bids(tmp_path)
    (root / "derivatives" / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "tf_msgan"}]}')
    assert [id for id, s in read_cohort(root).subjects.items() if s.label] == ["sub-01", "sub-02", "sub-03"]


def test_bids_subjects_called_as_in_no_bids(tmp_path):
    """With a hyphen or a letter of its own; each has its own label map, and is a person."""
    for subject in ("sub-HC-01", "sub-HC-02", "sub-é1"):
        save_nifti(tmp_path / subject / "anat" / f"{subject}_T1w.nii.gz", tiny_brain(1)[0])
    label = tmp_path / "derivatives/manual/sub-HC-02/anat/sub-HC-02_dseg.nii.gz"
    save_nifti(label, tiny_brain(1)[2])
    subjects = read_cohort(tmp_path).subjects
    assert {id: s.label for id, s in subjects.items()} == {"sub-HC-01": None, "sub-HC-02": label, "sub-é1": None}
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
        train, validation, test = ({id[:5] for id in ids} for ids in sides)
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


def test_a_subject_that_lacks_the_first_modality_is_seen(tmp_path):
    write_folder(tmp_path / "set")
    (tmp_path / "set/imagesTr/case_02_0000.nii.gz").unlink()
    assert read_cohort(tmp_path / "set").subjects["case_02"].images[0] is None
    write_bids(tmp_path / "bids")
    (tmp_path / "bids/sub-05/anat/sub-05_T1w.nii.gz").unlink()
    assert read_cohort(tmp_path / "bids").subjects["sub-05"].images[0] is None


def test_a_modality_that_a_labelled_scan_lacks_is_left_out_and_named(tmp_path):
    root = write_bids(tmp_path)
    assert not read_cohort(root).left_out
    (root / "sub-02/anat/sub-02_T2w.nii.gz").unlink()
    cohort = read_cohort(root)
    assert cohort.modalities == ("T1w",) and cohort.left_out == {"T2w": "sub-02"}
    (problem,) = compare(cohort, [])
    assert problem.text == "T2w is not used: sub-02 is labelled and has none"


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

    write_folder(tmp_path / "set")
    assert not read_cohort(tmp_path / "set").stray
    path = save_nifti(tmp_path / "set/labelsTr/case-02.nii.gz", tiny_brain(1)[2])
    # Of a case that is held out, and in the wrong folder.
    held_out = save_nifti(tmp_path / "set/labelsTr/case_09.nii.gz", tiny_brain(1)[2])
    save_nifti(tmp_path / "set/imagesTs/case_09_0000.nii.gz", tiny_brain(1)[0])
    assert read_cohort(tmp_path / "set").stray == (path, held_out)


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
    with pytest.raises(InputError, match=r"found an unknown table; expected one of freesurfer, bids, or a file\.tsv"):
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


def test_albert(tmp_path):
    """Two neonates as tiny as they come, a cerebellum and an unlabelled rim, the left of the first axis first."""
    las = np.diag([-1.0, 1, 1, 1])
    for number in (1, 2):
        t1, t2, classes = tiny_brain(number)
        # The rim of CSF is 0, as what is outside; a lateral ventricle, GM, WM and the cerebellum have codes.
        codes = np.array([0, 0, 3, 2], np.uint8)[classes]
        codes[14, 16, 15], codes[14, 17, 15] = 4, 8
        folder = tmp_path / f"Template{number:02}"
        for name, data in (("T1w_brain", t1), ("T2w_brain", t2), ("Segmentation", codes)):
            save_nifti(folder / f"{name}.nii.gz", data, las)
    cohort = read_cohort(tmp_path)
    assert (cohort.layout, cohort.crop, cohort.modalities) == ("albert", "brain", ("T1", "T2"))
    assert list(cohort.subjects) == ["01", "02"] and cohort.labels.tissues == ("CSF", "GM", "WM")
    t1, t2, expected = tiny_brain(1)
    expected[14, 16, 15], expected[14, 17, 15] = 1, IGNORE
    volumes = read_images(cohort.subjects["01"].images)
    assert all(np.array_equal(volume.data, image) for volume, image in zip(volumes, (t1, t2), strict=True))
    labels = read_labels(cohort, "01", volumes)
    # CSF that has no code is so inside the brain alone.
    assert np.array_equal(labels, expected) and {0, 1, 2, 3, IGNORE} == set(np.unique(labels))


def test_layouts_are_recognised(tmp_path, tiny_folder):
    assert set(LAYOUTS) == {"iseg", "mrbrains", "albert", "nnunet", "bids"}
    assert read_cohort(tiny_folder).layout == "iseg"
    with pytest.raises(InputError, match="found no layout that is known; expected one of iseg"):
        read_cohort(tmp_path / "tiny" / "..")


def test_freesurfer_codes():
    from tf_msgan.datasets.freesurfer import FREESURFER

    classes = FREESURFER.classes
    # From FreeSurferColorLUT.txt: names and what they are.
    for code in (4, 43, 5, 44, 14, 15, 24, 31, 63, 72):
        assert classes[code] == 1
    for code in (3, 42, 10, 49, 11, 12, 13, 17, 18, 26, 28, 1024, 2035, 11101, 12175):
        assert classes[code] == 2
    for code in (2, 41, 77, 251, 255, 3024, 4035, 5001):
        assert classes[code] == 3
    for code in (7, 8, 16, 46, 47, 30, 62, 80, 85, 172):
        assert code not in classes
    assert FREESURFER.unlisted == IGNORE


def test_some_modalities_of_every_layout(tmp_path, tiny_folder):
    bids, nnunet = write_bids(tmp_path / "bids"), write_folder(tmp_path / "nnunet")
    for root, asked, name in (
        (tiny_folder, "T2", "T2"),
        (nnunet, "T2", "T2"),
        (bids, "T2", "T2w"),
        (bids, "T2w", "T2w"),
    ):
        whole, part = read_cohort(root), read_cohort(root, modalities=[asked])
        assert part.modalities == (name,) and list(part.subjects) == list(whole.subjects)
        for id, subject in part.subjects.items():
            assert subject.images == whole.subjects[id].images[1:] and subject.label == whole.subjects[id].label
    turned = read_cohort(tiny_folder, modalities=["T2", "T1"])
    assert turned.subjects["1"].images == read_cohort(tiny_folder).subjects["1"].images[::-1]


def test_heads_have_some_modalities(tmp_path):
    root = write_mrbrains(tmp_path)
    cohort = read_cohort(root, modalities=["T2_FLAIR", "T1"])
    assert cohort.modalities == ("T2_FLAIR", "T1") and cohort.crop == "nonzero"
    names = [[path.name.partition(".")[0] for path in subject.images] for subject in cohort.subjects.values()]
    assert names and all(each == ["T2_FLAIR", "T1"] for each in names)


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


def test_an_unlabelled_scan_without_the_modality_is_left_out(tmp_path):
    root = write_folder(tmp_path / "set")
    (root / "imagesUn/case_04_0001.nii.gz").unlink()
    assert "case_04" in read_cohort(root, modalities=["T1"]).subjects
    assert "case_04" not in read_cohort(root, modalities=["T2"]).subjects
