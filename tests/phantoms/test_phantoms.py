"""The phantoms: on disk as iSEG-2017 and MRBrainS13, and like them in figures."""

import errno
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from benchmarks.phantoms import overlap, shares
from tests.conftest import run_command
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.errors import InputError
from tf_msgan.phantoms import phantom_cohort as cohorts
from tf_msgan.phantoms.adult import (
    BASAL_GANGLIA,
    BRAIN_STEM,
    CEREBELLUM,
    CORTEX,
    LESION,
    OUTER_CSF,
    TESTING_CODES,
    VENTRICLES,
    WHITE_MATTER,
    AdultPhantom,
)
from tf_msgan.phantoms.infant import InfantPhantom, infant_grid, make_infant
from tf_msgan.phantoms.phantom_cohort import embedded_cohort, embedded_folder, write_cohort
from tf_msgan.phantoms.template import load_template
from tf_msgan.phantoms.tissue import WM


@pytest.fixture(scope="module")
def at_1mm():
    return [make_infant(number, spacing=1, seed=0) for number in range(1, 4)]


def draw(preset, folder, subjects):
    """A cohort at spacing 2, seed 3, drawn by the command."""
    result = run_command("tf_msgan.phantom", preset, folder, "--subjects", subjects, "--spacing", 2, "--seed", 3)
    assert result.returncode == 0, result.stderr
    return folder


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
    monkeypatch.setattr(cohorts, "make_infant", lambda *_: InfantPhantom(voxels, voxels, codes))
    monkeypatch.setattr(cohorts, "make_adult", lambda *_: AdultPhantom(voxels, voxels, voxels, voxels, codes))


def test_shares_of_tissue_are_those_of_iseg(at_1mm):
    mean = np.mean([shares(phantom.labels) for phantom in at_1mm], axis=0)
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


def test_same_seed_same_files_and_another_seed_others(written, in_this_process, tmp_path):
    write_cohort("infant", tmp_path / "again", subjects=1, spacing=2, seed=3)
    write_cohort("infant", tmp_path / "other", subjects=1, spacing=2, seed=4)
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

    monkeypatch.setattr(cohorts, "make_infant", killed)
    with pytest.raises(InputError, match="infants: found a process killed while it drew; expected memory"):
        write_cohort("infant", tmp_path / "infants", subjects=1, spacing=2, seed=3)
    assert not list(tmp_path.iterdir())


def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    result = run_command("tf_msgan.phantom", "infant", tmp_path, "--subjects", 1)
    assert result.returncode == 2
    assert result.stderr.strip().count("\n") == 0 and str(tmp_path) in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    """A cohort of one subject."""
    return draw("adult", tmp_path_factory.mktemp("phantoms") / "adult", 1)


def read(path):
    return np.asanyarray(nib.load(path).dataobj)


def read_subject(adults, number):
    """Its arrays by file name, without suffix."""
    return {path.stem: read(path) for path in (adults / "TrainingData" / str(number)).iterdir()}


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """The arrays of five subjects, for what holds on the whole."""
    adults = draw("adult", tmp_path_factory.mktemp("phantoms") / "adults", 5)
    return [read_subject(adults, number) for number in range(1, 6)]


@pytest.fixture(scope="module", params=[1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))])
def subject(request):
    """The arrays of one subject; the quick suite looks at the first alone."""
    if request.param == 1:
        return read_subject(request.getfixturevalue("adult"), 1)
    return request.getfixturevalue("five")[request.param - 1]


def test_adults_lie_as_in_mrbrains(sketched, tmp_path):
    adults = tmp_path / "adults"
    write_cohort("adult", adults, subjects=6, spacing=2, seed=3)
    files = {str(path.relative_to(adults)) for path in adults.rglob("*") if path.is_file()}
    scans = ("T1", "T1_IR", "T2_FLAIR")
    labelled = (*scans, "T1_1mm", "LabelsForTraining", "LabelsForTesting")
    expected = {f"TrainingData/{n}/{name}.nii" for n in range(1, 6) for name in labelled}
    expected |= {f"TestData/1/{name}.nii" for name in scans}
    assert files == expected | {"phantoms.json", "truth/TestData/1/LabelsForTraining.nii"}


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


def test_t1_1mm_is_the_same_head_on_another_grid(adult):
    t1, fine = (nib.load(adult / "TrainingData" / "1" / f"{name}.nii") for name in ("T1", "T1_1mm"))
    assert fine.shape == (120, 120, 72)
    edges = [nib.affines.apply_affine(i.affine, [[-0.5] * 3, np.array(i.shape) - 0.5]) for i in (t1, fine)]
    assert np.allclose(*edges, atol=1e-3)
    thick, thin = (np.asanyarray(image.dataobj).astype(float) for image in (t1, fine))
    six_mm = [v.reshape(120, 120, 24, -1).mean(axis=3) for v in (thick, thin)]
    assert np.corrcoef(six_mm[0].ravel(), six_mm[1].ravel())[0, 1] > 0.99


def test_testing_labels_are_the_training_labels_merged(subject):
    codes = subject["LabelsForTraining"]
    assert np.unique(codes).tolist() == list(range(9))
    assert np.array_equal(subject["LabelsForTesting"], TESTING_CODES[codes])
    assert TESTING_CODES.tolist() == [0, 2, 2, 3, 3, 1, 1, 0, 0]


def test_air_is_dim_but_not_zero(subject):
    for name in ("T1", "T1_IR", "T2_FLAIR"):
        image = subject[name]
        corner = image[:8, -8:, -8:]
        assert 2 < corner.mean() < 40 and np.mean(corner == 0) < 0.1
        assert image.max() <= 1000
        # Scalp and muscle are not brain.
        assert np.mean(image[subject["LabelsForTraining"] == 0] > 150) > 0.1


def test_adults_of_the_same_seed_are_the_same_files(adult, in_this_process, tmp_path):
    write_cohort("adult", tmp_path / "again", subjects=1, spacing=2, seed=3)
    written = sorted((tmp_path / "again").rglob("*.nii"))
    assert len(written) == 6
    for path in written:
        assert path.read_bytes() == (adult / path.relative_to(tmp_path / "again")).read_bytes()


def test_tissues_are_as_bright_as_in_adults(subject):
    codes = subject["LabelsForTraining"]
    t1, t1_ir, flair = (
        [subject[name][codes == code].mean() for code in range(9)] for name in ("T1", "T1_IR", "T2_FLAIR")
    )
    for contrast in (t1, t1_ir):
        assert contrast[VENTRICLES] < contrast[CORTEX] < contrast[BASAL_GANGLIA] < contrast[WHITE_MATTER]
    assert flair[VENTRICLES] < flair[WHITE_MATTER] < flair[CORTEX] < flair[LESION]
    assert t1[OUTER_CSF] < t1[CORTEX]


@pytest.mark.slow
def test_lesions_lie_in_white_matter(five):
    counts = []
    for subject in five:
        codes = subject["LabelsForTraining"]
        near = ndimage.binary_dilation(codes == WHITE_MATTER, np.ones((3, 3, 3)))
        assert np.mean(near[codes == LESION]) > 0.9
        counts.append(np.sum(codes == LESION))
    assert max(counts) > 2 * min(counts)


def test_cerebellum_and_brain_stem_lie_below_the_cerebrum(subject):
    codes = subject["LabelsForTraining"]
    cerebrum, cerebellum, stem = (
        np.mean(np.nonzero(where), axis=1)
        for where in ((codes > 0) & (codes < CEREBELLUM), codes == CEREBELLUM, codes == BRAIN_STEM)
    )
    assert max(cerebellum[2], stem[2]) < cerebrum[2] - 5
    assert cerebellum[1] < stem[1]


@pytest.mark.slow
def test_shares_of_tissue_are_those_of_adults(five):
    found = np.array([shares(subject["LabelsForTesting"]) for subject in five])
    assert found.mean(axis=0) == pytest.approx([0.225, 0.44, 0.335], abs=0.035)
    assert found.std(axis=0)[0] > 0.005
    sizes = np.mean([np.bincount(s["LabelsForTraining"].ravel(), minlength=9) for s in five], axis=0)
    sizes *= 1.916**2 * 3 / 1000
    assert 900 < sizes[1:7].sum() < 1500
    assert 90 < sizes[CEREBELLUM] < 180 and 12 < sizes[BRAIN_STEM] < 40 and 10 < sizes[VENTRICLES] < 90


@pytest.mark.slow
def test_grey_and_white_overlap_less_in_adults_than_in_infants(five):
    overlaps = [overlap(subject["T1"], subject["LabelsForTesting"]) for subject in five]
    assert 0.15 < np.mean(overlaps) < 0.4


@pytest.mark.slow
def test_adults_differ(five):
    white = [subject["LabelsForTesting"] == WM for subject in five[:2]]
    assert 2 * np.sum(white[0] & white[1]) / (white[0].sum() + white[1].sum()) < 0.85
