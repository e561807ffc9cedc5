"""What `python -m tf_msgan.doctor` warns of, and takes."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import assert_refused, call_command
from tests.damaged_scans import GOOD_SCANS, IDS, image_of, rewrite, write_case, write_set
from tf_msgan import doctor, train


@pytest.mark.integration
def test_doctor_takes_scans_as_they_may_be(tmp_path, capfd):
    """Warned of are the tissue that is missing and the forms that disagree."""
    root = tmp_path / "set"
    write_set(root)
    for number, (name, change) in enumerate(GOOD_SCANS.items(), start=10):
        # A name may hold blanks, letters of any script, and a line break.
        subject_id = f"{name} é 脳" + ("\nx" if name == "slope 0" else "")
        write_case(root, subject_id, number)
        t1, t2 = (root / f"imagesTr/{subject_id}_{channel:04}.nii.gz" for channel in (0, 1))
        change(SimpleNamespace(root=root, t1=t1, t2=t2, label=root / f"labelsTr/{subject_id}.nii.gz"))
    status = call_command(doctor, root, "--no-progress")
    out, err = capfd.readouterr()
    assert status == 1 and not err, out + err
    warnings = [line for line in out.splitlines() if line.startswith("warning")]
    assert len(warnings) == 2 and "no voxel of WM" in "".join(warnings) and "qform and sform" in "".join(warnings)
    assert f"{len(IDS) + len(GOOD_SCANS)} subjects, 0 errors, 2 warnings" in out
    assert call_command(doctor, root, "--json") == 1
    report = json.loads(capfd.readouterr().out)
    assert report["preparation"]["crop"] == "brain" and report["memory_bytes"]["activations"] > 0
    assert len(report["subjects"]) == len(IDS) + len(GOOD_SCANS)


@pytest.mark.integration
def test_doctor_warns_of_subjects_unlike_the_others(tmp_path, capfd):
    def with_little_csf(labels):
        return np.where((labels == 1) & (np.arange(labels.shape[-1]) % 4 > 0), 2, labels)

    root = tmp_path / "set"
    write_set(root)
    write_case(root, "coarse", 20)
    for path in (*root.glob("imagesTr/coarse_*"), root / "labelsTr/coarse.nii.gz"):
        rewrite(path, affine=np.diag([2.0, 2, 2, 1]))
    write_case(root, "dry", 21)
    rewrite(root / "labelsTr/dry.nii.gz", with_little_csf)
    assert call_command(doctor, root, "--no-progress") == 1
    out, _ = capfd.readouterr()
    warnings = [line for line in out.splitlines() if line.startswith("warning: ")]
    voxels = "warning: subject coarse: voxels of 8 mm³, others have 1; --resample MM makes them alike"
    volume = r"warning: subject dry: [\d.]+ mL of CSF, others have [\d.]+"
    assert warnings.count(voxels) == sum(bool(re.fullmatch(volume, line)) for line in warnings) == 1, out
    # Coarse voxels hold eight times as much of everything.
    assert all(line.startswith(("warning: subject coarse: ", "warning: subject dry: ")) for line in warnings), out


@pytest.mark.integration
def test_doctor_and_dry_run_warn_of_sides(tmp_path, capfd):
    root = tmp_path / "set"
    write_set(root)
    content = json.loads((root / "dataset.json").read_text())
    content["labels"] = {"background": 0, "CSF": 1, "left_GM": 2, "right_GM": 3}
    (root / "dataset.json").write_text(json.dumps(content))
    message = "2 tissues of one side, such as left_GM: training mirrors patches"
    assert call_command(doctor, root, "--no-progress") == 1
    assert f"warning: {message}" in capfd.readouterr().out
    for mirror, said in ((0.5, True), (0, False)):
        assert not call_command(
            train, "--data", root, "--dry-run", "--model", "unet", "--set", f"augmentation.mirror={mirror}"
        )
        assert (message in capfd.readouterr().out) == said


def test_doctor_misses_what_training_would(files, tmp_path, capfd):
    """A tissue that no training subject has."""
    content = json.loads((files.root / "dataset.json").read_text())
    content["labels"]["lesion"] = 4
    (files.root / "dataset.json").write_text(json.dumps(content))
    options = ("--split", files.root / "split.json", "--no-progress")
    message = "no voxel of lesion in any training subject"
    assert call_command(doctor, files.root, *options) == 2
    (line,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("error: ")]
    assert message in line
    assert_refused(capfd, call_command(train, "--data", files.root, "--out", files.output, *options), message)


def without_half_of_csf(labels):
    first = np.arange(len(labels))[:, None, None] < len(labels) / 2
    return np.where((labels == 1) & first, 0, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: np.roll(labels, 6, axis=0), r"\d\d\.\d% of its labelled voxels lie where the scan is 0"),
        (without_half_of_csf, r"\d\d?\.\d% of what is not 0 in the scan has no label"),
    ],
    ids=["moved", "outer CSF unlabelled"],
)
def test_doctor_warns_of_labels_that_do_not_cover_the_brain(files, capfd, change, message):
    rewrite(files.label, change)
    assert call_command(doctor, files.root, "--no-progress") == 1
    out, _ = capfd.readouterr()
    assert re.search(f"^warning: {re.escape(str(files.label))}: {message}", out, re.MULTILINE), out


def test_doctor_warns_of_axes_that_are_not_at_right_angles(files, capfd):
    for path in (files.t1, files.t2, files.label):
        sheared = image_of(path)[1].copy()
        sheared[0, 1] += 0.5 * sheared[0, 0]
        rewrite(path, affine=sheared)
    call_command(doctor, files.root, "--no-progress")
    out, _ = capfd.readouterr()
    for path in (files.t1, files.t2):
        assert re.search(f"^warning: {re.escape(str(path))}: axes that are not at right angles", out, re.MULTILINE), out
