"""Whole cohorts of phantoms: on disk as iSEG-2017 and MRBrainS13."""

import errno
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import run_command
from tests.phantoms.conftest import draw
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.errors import InputError
from tf_msgan.phantoms import phantom_cohort as cohorts
from tf_msgan.phantoms.adult import (
    AdultPhantom,
)
from tf_msgan.phantoms.infant import InfantPhantom
from tf_msgan.phantoms.phantom_cohort import embedded_cohort, embedded_folder, write_cohort


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return draw("infant", tmp_path_factory.mktemp("phantoms") / "infant", 1)


@pytest.fixture
def in_this_process(monkeypatch):
    """Cohorts are drawn without other processes, which would load the template anew."""
    monkeypatch.setattr(cohorts, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(workers))


@pytest.fixture
def sketched(in_this_process, monkeypatch):
    """Subjects are a few voxels and take no time, for what is said of whole cohorts."""
    voxels = np.ones((2, 3, 4), np.int16)
    codes = voxels.astype(np.uint8)
    monkeypatch.setattr("tf_msgan.phantoms.infant.make_infant", lambda *_: InfantPhantom(voxels, voxels, codes))
    monkeypatch.setattr(
        "tf_msgan.phantoms.adult.make_adult", lambda *_: AdultPhantom(voxels, voxels, voxels, voxels, codes)
    )


def test_infants_lie_as_in_iseg(sketched, tmp_path):
    write_cohort("infant", tmp_path / "infants", subjects=11, spacing=2, seed=3)
    names = {path.name for path in (tmp_path / "infants").iterdir()}
    files = {f"subject-{n}-{kind}" for n in range(1, 12) for kind in ("T1", "T2")}
    files |= {f"subject-{n}-label" for n in range(1, 11)}
    assert names == {"truth", "phantoms.json", *(f"{name}.{suffix}" for name in files for suffix in ("hdr", "img"))}
    truth = tmp_path / "infants" / "truth"
    assert {path.name for path in truth.iterdir()} == {"subject-11-label.hdr", "subject-11-label.img"}

    # No layout reads the truth.
    cohort = read_cohort(tmp_path / "infants", "iseg")
    assert cohort.subjects["11"].label is None
    assert all("truth" not in str(path) for subject in cohort.subjects.values() for path in subject.images)


@pytest.mark.integration
def test_command_writes_iseg_s_files(written):
    t1 = nib.load(written / "subject-1-T1.hdr")
    assert isinstance(t1, nib.AnalyzeImage)
    assert t1.header["sizeof_hdr"] == 348 and "magic" not in t1.header
    assert t1.shape == (72, 96, 128, 1)
    assert t1.get_data_dtype() == np.int16
    assert t1.header.get_zooms()[:3] == (2, 2, 2)
    label = nib.load(written / "subject-1-label.hdr")
    assert label.get_data_dtype() == np.uint8
    codes = np.asanyarray(label.dataobj)
    assert np.unique(codes).tolist() == [0, 10, 150, 250]
    assert np.array_equal(codes != 0, np.asanyarray(t1.dataobj) != 0)


@pytest.mark.integration
def test_same_seed_same_files_and_another_seed_others(written, in_this_process, tmp_path):
    write_cohort("infant", tmp_path / "again", subjects=1, spacing=2, seed=3)
    write_cohort("infant", tmp_path / "other", subjects=1, spacing=2, seed=4)
    for path in (tmp_path / "again").glob("subject-*"):
        assert path.read_bytes() == (written / path.name).read_bytes()
    name = "subject-1-T1.img"
    assert (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()


def test_of_two_that_draw_the_embedded_cohort_the_later_takes_the_first_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def draw(preset, folder, **options):
        folder.mkdir(parents=True)
        (folder / "phantoms.json").touch()
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr(cohorts, "write_cohort", draw)
    assert embedded_cohort() == embedded_folder()

    def fail(preset, folder, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    shutil.rmtree(tmp_path / "tf_msgan")
    monkeypatch.setattr(cohorts, "write_cohort", fail)
    with pytest.raises(OSError, match="No space"):
        embedded_cohort()


def test_a_killed_drawing_process_is_named(in_this_process, monkeypatch, tmp_path):
    def killed(*_):
        raise BrokenProcessPool("a process was terminated abruptly")

    monkeypatch.setattr("tf_msgan.phantoms.infant.make_infant", killed)
    with pytest.raises(InputError, match="infants: found a process killed while it drew; expected memory"):
        write_cohort("infant", tmp_path / "infants", subjects=1, spacing=2, seed=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.integration
def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    result = run_command("tf_msgan.phantom", "infant", tmp_path, "--subjects", 1)
    assert result.returncode == 2
    assert result.stderr.strip().count("\n") == 0 and str(tmp_path) in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_adults_lie_as_in_mrbrains(sketched, tmp_path):
    adults = tmp_path / "adults"
    write_cohort("adult", adults, subjects=6, spacing=2, seed=3)
    files = {str(path.relative_to(adults)) for path in adults.rglob("*") if path.is_file()}
    scans = ("T1", "T1_IR", "T2_FLAIR")
    labelled = (*scans, "T1_1mm", "LabelsForTraining", "LabelsForTesting")
    expected = {f"TrainingData/{n}/{name}.nii" for n in range(1, 6) for name in labelled}
    expected |= {f"TestData/1/{name}.nii" for name in scans}
    assert files == expected | {"phantoms.json", "truth/TestData/1/LabelsForTraining.nii"}


@pytest.mark.integration
def test_command_writes_mrbrains_files(adult):
    scans = ("T1", "T1_IR", "T2_FLAIR")
    mark = json.loads((adult / "phantoms.json").read_text())
    assert (mark["preset"], mark["spacing"], mark["seed"]) == ("adult", 2, 3)

    first = adult / "TrainingData" / "1"
    for name, dtype in (*((scan, np.int16) for scan in scans), ("LabelsForTraining", np.uint8)):
        image = nib.load(first / f"{name}.nii")
        assert image.shape == (120, 120, 48) and image.get_data_dtype() == dtype
        assert image.header.get_zooms() == pytest.approx((1.916, 1.916, 3))
        assert image.header["qform_code"] == image.header["sform_code"] == 1
        assert np.allclose(image.get_qform(), image.get_sform(), atol=1e-4)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")


@pytest.mark.integration
def test_t1_1mm_is_the_same_head_on_another_grid(adult):
    t1, fine = (nib.load(adult / "TrainingData" / "1" / f"{name}.nii") for name in ("T1", "T1_1mm"))
    assert fine.shape == (120, 120, 72)
    edges = [nib.affines.apply_affine(i.affine, [[-0.5] * 3, np.array(i.shape) - 0.5]) for i in (t1, fine)]
    assert np.allclose(*edges, atol=1e-3)
    thick, thin = (np.asanyarray(image.dataobj).astype(float) for image in (t1, fine))
    six_mm = [v.reshape(120, 120, 24, -1).mean(axis=3) for v in (thick, thin)]
    assert np.corrcoef(six_mm[0].ravel(), six_mm[1].ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_adults_of_the_same_seed_are_the_same_files(adult, in_this_process, tmp_path):
    write_cohort("adult", tmp_path / "again", subjects=1, spacing=2, seed=3)
    written = sorted((tmp_path / "again").rglob("*.nii"))
    assert len(written) == 6
    for path in written:
        assert path.read_bytes() == (adult / path.relative_to(tmp_path / "again")).read_bytes()
