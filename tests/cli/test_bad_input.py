"""Bad files, through the commands: each is taken rightly, or refused in one line that names it."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT, assert_one_line_error, assert_refused, call_command, run_command
from tests.damaged_scans import BAD_LABELS, BAD_SCANS, GOOD_SCANS, IDS, write_case, write_set
from tests.pages import Page, numbers
from tf_msgan import doctor, predict, train

GIB = 2**30


@pytest.mark.parametrize("name", {**BAD_SCANS, **BAD_LABELS})
def test_train_refuses(name, files, capfd):
    damage, message = {**BAD_SCANS, **BAD_LABELS}[name]
    damage(files)
    options = ("--split", files.root / "split.json", "--out", files.output, "--max-minutes", 0.01, "--no-progress")
    assert_refused(capfd, call_command(train, "--data", files.root, "--layout", "folder", *options), message)
    assert not files.output.exists()


@pytest.mark.parametrize("name", {**BAD_SCANS, **BAD_LABELS})
def test_doctor_lists(name, files, capfd):
    damage, message = {**BAD_SCANS, **BAD_LABELS}[name]
    damage(files)
    status = call_command(doctor, files.root, "--no-progress")
    out, err = capfd.readouterr()
    assert status == 2 and not err, out + err
    (line,) = [line for line in out.splitlines() if line.startswith("error: ")]
    assert re.search(message, line), line
    assert all(subject_id in out for subject_id in IDS)


@pytest.mark.integration
def test_predict_lists_the_bad_and_segments_the_others(tmp_path, unet_run, capfd):
    """All bad scans in one folder, beside a good one."""
    folder = tmp_path / "in"
    for number, (name, (damage, _)) in enumerate(BAD_SCANS.items()):
        root = tmp_path / "one"
        write_set(root)
        t1, t2 = (root / f"imagesTr/bad_{channel:04}.nii.gz" for channel in (0, 1))
        damage(SimpleNamespace(root=root, t1=t1, t2=t2))
        case = folder / f"{number:02} {name}".replace(".", "")
        case.mkdir(parents=True)
        for path in root.glob("imagesTr/bad_000*"):
            channel, _, suffix = path.name.removeprefix("bad_").partition(".")
            path.rename(case / f"T{int(channel) + 1}.{suffix}")
        shutil.rmtree(root)
    write_set(tmp_path / "other")
    for channel in (0, 1):
        (folder / "99 good").mkdir(exist_ok=True)
        (tmp_path / f"other/imagesTr/good_1_{channel:04}.nii.gz").rename(folder / "99 good" / f"T{channel + 1}.nii.gz")
    status = call_command(predict, unet_run, "--input-dir", folder, "--output", tmp_path / "out", "--no-progress")
    out, err = capfd.readouterr()
    lines = err.strip().splitlines()
    assert status == 1 and "Traceback" not in err
    for number, (name, (_, message)) in enumerate(BAD_SCANS.items()):
        case = f"{number:02} {name}".replace(".", "")
        found = [line for line in lines if line.startswith(f"error: {case}: ")]
        assert len(found) == 1 and re.search(message, found[0]) and "expected" in found[0], (case, lines)
    assert len(lines) == len(BAD_SCANS)
    assert f"1 segmented, {len(BAD_SCANS)} failed" in out
    made = sorted(path.name for path in (tmp_path / "out").glob("*") if path.is_file())
    kinds = ("dseg.json", "dseg.nii.gz", "probseg.json", "probseg.nii.gz", "volumes.tsv")
    assert made == [*(f"99 good_{kind}" for kind in kinds), "dseg.tsv", "qc.html"]


@pytest.mark.integration
def test_training_on_scans_as_they_may_be(tmp_path, call):
    """To the end, report included, with all of them in the roles that read their labels, one without its second
    modality, and with every preparation there is; then once more what `--resume` would contradict."""
    root = tmp_path / "a set of 脳"
    write_set(root)
    ids = []
    for number, (name, change) in enumerate(GOOD_SCANS.items(), start=10):
        ids.append(f"{name} é")
        write_case(root, ids[-1], number)
        t1, t2 = (root / f"imagesTr/{ids[-1]}_{channel:04}.nii.gz" for channel in (0, 1))
        change(SimpleNamespace(root=root, t1=t1, t2=t2, label=root / f"labelsTr/{ids[-1]}.nii.gz"))
    split = {"train": ids[2:], "validation": [], "unlabeled": [], "test": ids[:2]}
    (root / "split.json").write_text(json.dumps(split))
    (root / f"imagesTr/{ids[0]}_0001.nii.gz").unlink()
    options = ("--split", root / "split.json", "--epochs", 1, "--steps-per-epoch", 2, "--batch-size", 1, "--patch", 16)
    scans = ("--n4", "--normalise", "percentile", "--resample", 1.25, "--crop", "nonzero", "--drop-modality", 0.4)
    small = ("--model", "unet", "--set", "network.unet_width=4", "--no-progress")
    command = ("tf_msgan.train", "--data", root, *options, *scans, *small, "--out", tmp_path / "run")
    result = run_command(*command)
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert "without validation" in result.stdout and "stand in for unlabelled ones" not in result.stdout
    assert "resampled to 1.25 mm; nonzero, percentile, bias field corrected by N4" in result.stdout
    table = tmp_path / "other.tsv"
    table.write_text("index\tname\n1\tGM\n2\tCSF\n3\tWM\n")
    for option, value in (("--resample", 2), ("--labels", table)):
        assert_one_line_error(call(*command, "--resume", option, value), option, tmp_path / "run")
    evaluation = json.loads((tmp_path / "run/evaluation.json").read_text())
    assert list(evaluation["subjects"]) == ids[:2]
    scores, distances = Page((tmp_path / "run/report.html").read_text()).tables
    assert [row[0] for row in scores] == ["subject", *ids[:2], "unet, mean", "QDA, mean"] and len(distances) == 5
    for subject_id, values in map(numbers, scores[1:3]):
        dice = [evaluation["subjects"][subject_id][tissue]["dice"] for tissue in ("CSF", "GM", "WM")]
        assert values == pytest.approx([*dice, sum(dice) / 3], abs=0.0006)


BOMBS = ("huge dims", "a bomb's dims", "dims beyond the data")


@pytest.mark.integration
@pytest.mark.parametrize("name", BOMBS)
def test_a_header_that_lies_costs_no_memory(name, files):
    BAD_SCANS[name][0](files)
    command = [sys.executable, "-m", "tf_msgan.train", "--data", files.root, "--out", files.output, "--no-progress"]

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 * GIB, 4 * GIB))

    result = subprocess.run(
        [*map(str, command), "--split", str(files.root / "split.json")],
        **{"cwd": ROOT, "capture_output": True, "text": True, "preexec_fn": limit, "timeout": 60},
    )
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "bad_0000.nii.gz" in result.stderr and "MemoryError" not in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(files, capfd):
    files.t1.chmod(0)
    options = ("--split", files.root / "split.json", "--out", files.output, "--no-progress")
    assert_refused(capfd, call_command(train, "--data", files.root, *options), "no permission to read it")


@pytest.mark.integration
def test_outputs_that_cannot_be(files, unet_run, capfd):
    split = ("--split", files.root / "split.json", "--no-progress")
    (files.root / "a file").write_text("mine")
    for output, message in [
        (files.root / "a file", "a file"),
        (files.root, "something there already"),
    ]:
        assert_refused(capfd, call_command(train, "--data", files.root, *split, "--out", output), message)
    # /proc takes no files, whoever asks.
    for command in (
        (train, "--data", files.root, *split, "--out", "/proc/run"),
        (predict, unet_run, "--input", files.t1, files.t2, "--output", "/proc/out", "--no-progress"),
    ):
        status = call_command(*command)
        _, err = capfd.readouterr()
        assert status == 2 and len(err.strip().splitlines()) == 1 and "/proc" in err, err
    status = call_command(predict, unet_run, "--input", files.t1, files.t2, "--output", files.root / "a file")
    _, err = capfd.readouterr()
    assert status == 2 and len(err.strip().splitlines()) == 1 and (files.root / "a file").read_text() == "mine"


def test_folders_that_hold_nothing(tmp_path, capfd):
    for command in ((doctor, tmp_path), (train, "--data", tmp_path, "--out", tmp_path / "run")):
        assert_refused(capfd, call_command(*command), "no layout that is known")
    for command in ((doctor, tmp_path / "absent"), (train, "--data", tmp_path / "absent", "--out", tmp_path / "run")):
        assert_refused(capfd, call_command(*command), "no such folder")
