"""Bad files, through the commands: each is taken rightly, or refused in one line that names it."""

import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT, assert_one_line_error, call_command, run_command, save_nifti, tiny_brain
from tf_msgan import doctor, predict, train
from tf_msgan.datasets.examine import examine
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.io.read_volumes import read_image
from tf_msgan.io.write_volumes import write_nifti

GIB = 2**30
IDS = ("bad", "good_1", "good_2")


def write_case(root, id, number):
    t1, t2, classes = tiny_brain(number, shape=(20, 22, 18))
    save_nifti(root / f"imagesTr/{id}_0000.nii.gz", t1)
    save_nifti(root / f"imagesTr/{id}_0001.nii.gz", t2)
    save_nifti(root / f"labelsTr/{id}.nii.gz", classes)


def write_set(root):
    labels = {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    root.mkdir(parents=True)
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "labels": labels}))
    for number, id in enumerate(IDS, start=1):
        write_case(root, id, number)
    split = {"train": ["bad", "good_1"], "validation": [], "unlabeled": [], "test": ["good_2"]}
    (root / "split.json").write_text(json.dumps(split))


@pytest.fixture
def files(tmp_path):
    """A folder of nnU-Net's with the two scans and the label map of the subject `bad` to damage."""
    root = tmp_path / "set"
    write_set(root)
    t1, t2 = (root / f"imagesTr/bad_{channel:04}.nii.gz" for channel in (0, 1))
    return SimpleNamespace(root=root, t1=t1, t2=t2, label=root / "labelsTr/bad.nii.gz", output=tmp_path / "run")


def image_of(path):
    image = nib.load(path)
    return np.asanyarray(image.dataobj), image.affine


def rewrite(path, change=lambda data: data, affine=None, header=lambda header: None):
    """Writes a volume anew with its voxels, affine or header changed."""
    data, old = image_of(path)
    image = nib.Nifti1Image(change(np.array(data)), old if affine is None else affine)
    header(image.header)
    nib.save(image, path)


def patch_header(path, **fields):
    """Sets header fields that nibabel would not write."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    header = np.frombuffer(content, nib.Nifti1Header.template_dtype, count=1)
    for name, value in fields.items():
        header[name][0] = value
    path.write_bytes(gzip.compress(bytes(content)))


def as_analyze(path, keep=1.0):
    """Replaces a volume by an Analyze pair; of the voxels a part is kept, or no file."""
    data, _ = image_of(path)
    stem = Path(str(path).removesuffix(".nii.gz"))
    nib.save(nib.AnalyzeImage(data, np.eye(4)), stem.with_name(stem.name + ".hdr"))
    path.unlink()
    voxels = stem.with_name(stem.name + ".img")
    if keep == 0:
        voxels.unlink()
    else:
        voxels.write_bytes(voxels.read_bytes()[: int(voxels.stat().st_size * keep)])


def dims(*sizes):
    return [len(sizes), *sizes, *[1] * (7 - len(sizes))]


def set_voxel(value):
    def change(data):
        data = data.astype(np.float64)
        data[10, 11, 9] = value
        return data

    return change


def rgb(path):
    data, affine = image_of(path)
    colours = np.zeros(data.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, affine), path)


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def by(path):
    """In place of the file: a folder, or a link to itself."""

    def folder(files):
        getattr(files, path).unlink()
        getattr(files, path).mkdir()

    def loop(files):
        getattr(files, path).unlink()
        getattr(files, path).symlink_to(getattr(files, path))

    return SimpleNamespace(folder=folder, loop=loop)


SHEAR = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])

# What is done to the files, and what the refusal says of them. Scans go through train, predict and doctor, …
BAD_SCANS = {
    "truncated gzip": (lambda f: f.t1.write_bytes(f.t1.read_bytes()[:3000]), "truncated or damaged"),
    "damaged gzip": (lambda f: flip_a_byte(f.t1), "truncated or damaged"),
    "zero bytes": (lambda f: f.t1.write_bytes(b""), "a header that cannot be read"),
    "a text file": (lambda f: f.t1.write_text("no scan\n" * 99), "truncated or damaged|cannot be read"),
    "a gzipped text": (lambda f: f.t1.write_bytes(gzip.compress(b"no scan\n" * 99)), "cannot be read"),
    "truncated raw": (lambda f: as_analyze(f.t1, keep=0.5), "truncated or damaged"),
    "no .img": (lambda f: as_analyze(f.t1, keep=0), "truncated or damaged"),
    "huge dims": (lambda f: patch_header(f.t1, dim=dims(32767, 32767, 32767)), "at most 134,217,728 voxels"),
    "a bomb's dims": (lambda f: patch_header(f.t1, dim=dims(2000, 2000, 2000)), "at most 134,217,728 voxels"),
    "dims beyond the data": (lambda f: patch_header(f.t1, dim=dims(500, 500, 500)), "truncated or damaged"),
    "negative dims": (lambda f: patch_header(f.t1, dim=dims(20, -22, 18)), "shape|cannot be read"),
    "zero dims": (lambda f: patch_header(f.t1, dim=dims(20, 0, 18)), "shape"),
    "too many dims": (lambda f: patch_header(f.t1, dim=[9, 20, 22, 18, 1, 1, 1, 1]), "shape|damaged|read"),
    "fewer dims than data": (lambda f: patch_header(f.t1, dim=dims(10, 11, 9)), "shape"),
    "wrong magic": (lambda f: patch_header(f.t1, magic=b"abc"), "shape|cannot be read|truncated"),
    "voxels beyond the end": (lambda f: patch_header(f.t1, vox_offset=1e6), "truncated or damaged"),
    "unknown type": (lambda f: patch_header(f.t1, datatype=77), "cannot be read"),
    "NaN": (lambda f: rewrite(f.t1, set_voxel(np.nan)), "1 voxels that are NaN or infinite"),
    "inf": (lambda f: rewrite(f.t1, set_voxel(np.inf)), "1 voxels that are NaN or infinite"),
    "beyond float32": (lambda f: rewrite(f.t1, set_voxel(1e300)), "1 voxels that are NaN or infinite"),
    "all zero": (lambda f: rewrite(f.t1, np.zeros_like), "only zeros"),
    "constant": (lambda f: rewrite(f.t1, lambda data: np.full_like(data, 7)), "the constant 7"),
    "4-D": (lambda f: rewrite(f.t1, lambda data: np.stack([data] * 3, axis=-1)), "shape"),
    "2-D": (lambda f: rewrite(f.t1, lambda data: data[..., 9]), "shape"),
    "RGB": (lambda f: rgb(f.t1), "voxels of type RGB"),
    "complex": (lambda f: rewrite(f.t1, lambda data: data.astype(np.complex64)), "voxels of type complex64"),
    "singular affine": (lambda f: rewrite(f.t1, affine=SHEAR), "the affine"),
    "NaN affine": (lambda f: patch_header(f.t1, sform_code=1, srow_x=[np.nan] * 4), "the affine"),
    "voxels of a kilometre": (lambda f: rewrite(f.t1, affine=np.diag([1e6, 1e6, 1e6, 1])), "mm; expected 0.05 to 30"),
    "voxels of nothing": (lambda f: rewrite(f.t1, affine=np.diag([1e-6, 1, 1, 1])), "mm; expected 0.05 to 30|affine"),
    "modality of another shape": (lambda f: rewrite(f.t2, lambda data: data[1:]), "expected .* as in"),
    "modality elsewhere": (lambda f: rewrite(f.t2, affine=np.diag([1, 1, 1.3, 1])), "an affine whose corners lie"),
    "constant second modality": (lambda f: rewrite(f.t2, np.ones_like), "the constant 1"),
    "no second modality": (lambda f: f.t2.unlink(), "no T2"),
    "a folder for a scan": (by("t1").folder, "a folder"),
    "a symlink loop": (by("t1").loop, "no such file|no T1"),
}
# … label maps through train and doctor.
BAD_LABELS = {
    "label map of another shape": (lambda f: rewrite(f.label, lambda data: data[1:]), "expected .* as in"),
    "label map elsewhere": (lambda f: rewrite(f.label, affine=np.diag([1, 1, 1.3, 1])), "an affine whose corners"),
    "unknown label": (lambda f: rewrite(f.label, set_voxel(4)), r"label values \[4\]"),
    "fractional label": (lambda f: rewrite(f.label, set_voxel(1.5)), "the label value 1.5"),
    "negative label": (lambda f: rewrite(f.label, lambda data: -data.astype(np.int16)), r"label values \[-3, -2, -1\]"),
    "NaN label": (lambda f: rewrite(f.label, set_voxel(np.nan)), "the label value nan"),
    "empty label map": (lambda f: rewrite(f.label, np.zeros_like), "no voxel of CSF, GM, WM"),
    "truncated label map": (lambda f: f.label.write_bytes(f.label.read_bytes()[:200]), "truncated or damaged"),
    "duplicated subject": (lambda f: shutil.copy(f.root / "imagesTr/good_2_0000.nii.gz", f.t1), "again"),
    "recompressed duplicate": (
        lambda f: f.t1.write_bytes(
            gzip.compress(gzip.decompress((f.root / "imagesTr/good_2_0000.nii.gz").read_bytes()))
        ),
        "again",
    ),
}
# … and these are scans as they may be.
GOOD_SCANS = {
    "int64": lambda f: nib.save(nib.Nifti1Image(image_of(f.t1)[0].astype(np.int64), np.eye(4), dtype="int64"), f.t1),
    "float64": lambda f: rewrite(f.t1, lambda data: data.astype(np.float64)),
    "a fourth axis of 1": lambda f: rewrite(f.t1, lambda data: data[..., None]),
    "slope 0": lambda f: patch_header(f.t1, scl_slope=0, scl_inter=9),
    "slope NaN": lambda f: patch_header(f.t1, scl_slope=np.nan),
    "slope and intercept": lambda f: patch_header(f.t1, scl_slope=0.25, scl_inter=3),
    "Analyze": lambda f: (as_analyze(f.t1), as_analyze(f.t2), as_analyze(f.label)),
    "a missing tissue": lambda f: rewrite(f.label, lambda data: np.where(data == 3, 2, data)),
    "forms that disagree": lambda f: patch_header(f.t1, qform_code=1, qoffset_x=40.0),
    "labels as floats": lambda f: rewrite(f.label, lambda data: data.astype(np.float32)),
    "a header of big-endian": lambda f: rewrite(f.t1, lambda data: data.astype(">i2")),
}


def assert_refused(capfd, status, message, expected_status=2):
    out, err = capfd.readouterr()
    assert status == expected_status, out + err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err, err
    assert re.search(f"found .*({message})|({message}).*expected", err), err
    assert "expected" in err
    return err


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
    assert all(id in out for id in IDS)


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


def test_doctor_takes_scans_as_they_may_be(tmp_path, capfd):
    """Warned of are the tissue that is missing and the forms that disagree."""
    root = tmp_path / "set"
    write_set(root)
    for number, (name, change) in enumerate(GOOD_SCANS.items(), start=10):
        # A name may hold blanks, letters of any script, and a line break.
        id = f"{name} é 脳" + ("\nx" if name == "slope 0" else "")
        write_case(root, id, number)
        t1, t2 = (root / f"imagesTr/{id}_{channel:04}.nii.gz" for channel in (0, 1))
        change(SimpleNamespace(root=root, t1=t1, t2=t2, label=root / f"labelsTr/{id}.nii.gz"))
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
        assert not call_command(train, "--data", root, "--dry-run", "--set", f"augmentation.mirror={mirror}")
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
    assert (tmp_path / "run/report.html").stat().st_size > 10_000


BOMBS = ("huge dims", "a bomb's dims", "dims beyond the data")


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


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz") / "set"
    write_set(root)
    for id in ("good_1", "good_2"):
        for path in root.glob(f"*Tr/{id}*"):
            path.unlink()
    data, _ = image_of(root / "imagesTr/bad_0000.nii.gz")
    (root / "imagesTr/bad_0000.nii.gz").unlink()
    path = save_nifti(root / "imagesTr/bad_0000.nii", data)
    # The other modality goes: its suffix is the first's.
    (root / "imagesTr/bad_0001.nii.gz").unlink()
    return root, path, path.read_bytes()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, 347), st.integers(0, 255), min_size=1, max_size=12))
def test_any_header_is_read_or_refused(fuzzed, capfd, changes):
    """Five hundred headers with some bytes changed."""
    root, path, content = fuzzed
    mutant = bytearray(content)
    for at, value in changes.items():
        mutant[at] = value
    path.write_bytes(mutant)
    (facts,) = examine(read_cohort(root, "folder"), None)
    assert facts.shape or any(problem.severity == "error" for problem in facts.problems)
    errors = [problem for problem in facts.problems if problem.severity == "error"]
    assert all("expected" in error.text for error in errors)
    if not errors:
        # What is read can be written upon.
        volume = read_image(path)
        write_nifti(root.parent / "written.nii", np.zeros(volume.data.shape, np.uint8), volume)
        assert np.allclose(read_image(root.parent / "written.nii").affine, volume.affine, rtol=1e-5, atol=1e-5)
    assert not capfd.readouterr().err
