"""The infant phantoms: on disk as iSEG-2017, and like it in figures."""

import nibabel as nib
import numpy as np
import pytest
from conftest import run_command

from benchmarks.phantoms import overlap, shares
from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.phantom_cohort import write_infant_cohort
from tf_msgan.data.phantoms import WM, infant_grid, load_template, make_infant


@pytest.fixture(scope="module")
def at_1mm():
    return [make_infant(number, spacing=1, seed=0) for number in range(1, 7)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Eleven subjects at 2 mm, drawn by the command."""
    folder = tmp_path_factory.mktemp("phantoms") / "infant"
    result = run_command("tf_msgan.phantom", "infant", folder, "--subjects", 11, "--spacing", 2, "--seed", 3)
    assert result.returncode == 0, result.stderr
    return folder


def test_shares_of_tissue_are_those_of_iseg(at_1mm):
    mean = np.mean([shares(phantom) for phantom in at_1mm], axis=0)
    assert mean == pytest.approx([0.22, 0.47, 0.31], abs=0.03)


def test_grey_and_white_overlap_as_in_iseg(at_1mm):
    assert np.mean([overlap(p.t1, p.labels) for p in at_1mm]) == pytest.approx(0.70, abs=0.07)
    assert np.mean([overlap(p.t2, p.labels) for p in at_1mm]) == pytest.approx(0.90, abs=0.05)


def test_subjects_differ(at_1mm):
    volumes = [np.sum(p.labels > 0) for p in at_1mm]
    assert np.std(volumes) > 0.03 * np.mean(volumes)
    assert len({p.t1.tobytes() for p in at_1mm}) == len(at_1mm)
    first, second = at_1mm[0].labels, at_1mm[1].labels
    agreement = 2 * np.sum((first == WM) & (second == WM)) / (np.sum(first == WM) + np.sum(second == WM))
    assert agreement < 0.8


def test_ranges_and_mask(at_1mm):
    for phantom in at_1mm:
        assert phantom.labels.shape == (144, 192, 256)
        for image in (phantom.t1, phantom.t2):
            assert image.dtype == np.int16
            assert image.min() == 0 and image.max() <= 1000
            assert np.array_equal(image != 0, phantom.labels != 0)


def test_cortex_is_folded(at_1mm):
    """A blob of the brain's volume would have far less surface between grey and white matter."""
    labels = at_1mm[0].labels
    white = labels == WM
    surface = sum(np.count_nonzero(np.diff(white.astype(np.int8), axis=axis)) for axis in range(3))
    ball = 6 * (3 * white.sum() / (4 * np.pi)) ** (2 / 3) * np.pi
    assert surface > 5 * ball


def test_cerebellum_and_brain_stem_are_gone():
    template = load_template()
    # The cerebrum has no tissue behind and below; the template's lowest quarter holds temporal lobes alone.
    low = template.tissues.sum(axis=0)[:, :, : template.depth.shape[2] // 6]
    back = low[:, : low.shape[1] // 3]
    assert back.sum() < 0.02 * low.sum()


def test_command_writes_the_iseg_layout(written):
    names = {path.name for path in written.iterdir()}
    files = {f"subject-{n}-{kind}" for n in range(1, 12) for kind in ("T1", "T2")}
    files |= {f"subject-{n}-label" for n in range(1, 11)}
    assert names == {"truth", "phantoms.json", *(f"{name}.{suffix}" for name in files for suffix in ("hdr", "img"))}
    assert {path.name for path in (written / "truth").iterdir()} == {"subject-11-label.hdr", "subject-11-label.img"}

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


def test_truth_is_read_by_no_layout(written):
    cohort = read_cohort(written, "iseg")
    assert cohort.subjects["11"].label is None
    assert all("truth" not in str(path) for subject in cohort.subjects.values() for path in subject.images)


def test_same_seed_same_files_and_another_seed_others(written, tmp_path):
    write_infant_cohort(tmp_path / "again", subjects=2, spacing=2, seed=3)
    write_infant_cohort(tmp_path / "other", subjects=1, spacing=2, seed=4)
    for path in (tmp_path / "again").glob("subject-*"):
        assert path.read_bytes() == (written / path.name).read_bytes()
    name = "subject-1-T1.img"
    assert (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()


def test_2mm_is_the_1mm_brain_averaged(at_1mm):
    coarse = make_infant(1, spacing=2, seed=0)
    fine = at_1mm[0].labels.reshape(72, 2, 96, 2, 128, 2)
    brain = (fine > 0).mean(axis=(1, 3, 5))
    assert np.array_equal(coarse.labels[brain == 1] > 0, np.ones(np.sum(brain == 1), bool))
    assert not coarse.labels[brain == 0].any()
    mean = at_1mm[0].t1.reshape(72, 2, 96, 2, 128, 2).mean(axis=(1, 3, 5))
    assert np.abs(coarse.t1 - mean)[brain == 1].max() <= 1


def test_subject_23_has_its_own_grid():
    assert infant_grid(23, 1) == (160, 192, 256)
    assert make_infant(23, spacing=2, seed=0).labels.shape == (80, 96, 128)


def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    result = run_command("tf_msgan.phantom", "infant", tmp_path, "--subjects", 1)
    assert result.returncode == 2
    assert result.stderr.strip().count("\n") == 0 and str(tmp_path) in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
