"""`python -m tf_msgan.predict`, run as a user runs it, on real files."""

import csv
import dataclasses
import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import OBLIQUE, assert_one_line_error, run_command, tiny_brain, write_case, write_untrained_run
from tests.pages import Page, embedded, picture
from tf_msgan.config import Preparation
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.runs.trained_model import load_model

pytestmark = pytest.mark.integration


@pytest.fixture
def predict(call):
    """Calls the command in this process, without bars; `(status, standard output, standard error)`."""

    def predict(*arguments):
        result = call("tf_msgan.predict", *arguments, "--no-progress")
        return result.returncode, result.stdout, result.stderr

    return predict


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def one_case(untrained_run, tmp_path_factory):
    """The outputs of one scan with everything asked for."""
    folder = tmp_path_factory.mktemp("one")
    files = write_case(folder / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])
    options = ("--entropy", "--p-real", "--figure", "--threads", 1, "--no-progress")
    result = run_command("tf_msgan.predict", untrained_run, "--input", *files, "--output", folder / "out", *options)
    assert result.returncode == 0, result.stderr
    return folder / "out", files


def test_files_of_one_case(one_case):
    out, _ = one_case
    kinds = ("dseg.json", "dseg.nii.gz", "entropy.nii.gz", "figure.png", "probseg.json", "probseg.nii.gz")
    expected = [f"ann_{kind}" for kind in (*kinds, "preal.nii.gz", "volumes.tsv")]
    assert names(out) == sorted([*expected, "dseg.tsv", "qc.html", "qc/ann.png"])


def test_grid_is_the_inputs_own(one_case):
    out, files = one_case
    source = nib.load(files[0])
    for kind, shape in (("dseg", ()), ("probseg", (3,)), ("entropy", ()), ("preal", ())):
        image = nib.load(out / f"ann_{kind}.nii.gz")
        assert image.shape == (*source.shape, *shape)
        assert np.array_equal(image.affine, source.affine)
        for name in ("qform_code", "sform_code"):
            assert image.header[name] == source.header[name]


def test_maps_are_the_segmenters(one_case, untrained_run):
    out, files = one_case

    def canonical(path):
        return np.asanyarray(nib.as_closest_canonical(nib.load(path)).dataobj)

    raw = np.stack([canonical(path).astype(np.float32) for path in files], axis=-1)
    expected = Segmenter(load_model(untrained_run), with_p_real=True)(raw)
    labels = canonical(out / "ann_dseg.nii.gz")
    assert labels.dtype == np.uint8 and np.mean(labels == expected.labels) > 0.999
    probabilities = canonical(out / "ann_probseg.nii.gz")
    assert np.allclose(probabilities, expected.probabilities[..., 1:], atol=1e-5)
    assert np.allclose(canonical(out / "ann_preal.nii.gz"), expected.p_real, atol=1e-5)
    assert json.loads((out / "ann_probseg.json").read_text())["LabelMap"] == ["CSF", "GM", "WM"]
    with open(out / "ann_volumes.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    voxel = np.abs(np.linalg.det(OBLIQUE[:3, :3]))
    for number, row in enumerate(rows, start=1):
        assert float(row["volume_ml"]) == pytest.approx(np.sum(labels == number) * voxel / 1000, abs=1e-3)


def test_page_holds_the_volumes_and_the_picture(one_case):
    out, _ = one_case
    page = Page((out / "qc.html").read_text())
    ((header, (name, *values)),) = page.tables
    assert header == ["case", "CSF, mL", "GM, mL", "WM, mL", "entropy", "score"] and name == "ann"
    with open(out / "ann_volumes.tsv", newline="") as file:
        volumes = [float(row["volume_ml"]) for row in csv.DictReader(file, delimiter="\t")]
    entropy = json.loads((out / "ann_dseg.json").read_text())["MeanEntropy"]
    assert [float(value) for value in values[:3]] == pytest.approx(volumes, abs=0.051)
    assert float(values[3]) == pytest.approx(entropy, abs=0.0006) and 0 < entropy <= 1
    # Of one case alone nothing is known to be usual.
    assert values[4] == "0.0"
    ((words, source),) = page.pictures.items()
    assert words == "ann in three planes" and np.array_equal(embedded(source), picture(out / "qc/ann.png"))
    assert page.addresses == ["#case-1", source]
    # 9 × 3.6 inches, of 70 dots for the page and of 160 beside the map; and the tissues' contours are drawn.
    for path, shape in ((out / "qc/ann.png", (252, 630, 3)), (out / "ann_figure.png", (576, 1440, 3))):
        pixels = picture(path)
        assert pixels.shape == shape and np.count_nonzero(np.ptp(pixels[40:-40], axis=-1) > 0.15) > 100


def test_analyze_input(unet_run, tiny_cohort, tmp_path, predict):
    """iSEG's own files; their grid has no affine of its own."""
    files = tiny_cohort.subjects["4"].images
    status, _, error = predict(unet_run, "--input", *files, "--output", tmp_path / "out")
    assert status == 0, error
    source, image = nib.load(files[0]), nib.load(tmp_path / "out" / "subject-4_dseg.nii.gz")
    assert image.shape == source.shape[:3] and np.array_equal(image.affine, source.affine)


def test_a_folder_with_a_bad_case_then_the_rest(unet_run, tmp_path, predict):
    """nnU-Net's names; one case is truncated: the others are done, it is listed, exit 1; then only it is done."""
    for number, subject_id in enumerate(("a", "b", "c"), start=1):
        write_case(tmp_path / "in", [f"{subject_id}_0000.nii.gz", f"{subject_id}_0001.nii.gz"], number)
    whole = (tmp_path / "in" / "b_0001.nii.gz").read_bytes()
    (tmp_path / "in" / "b_0001.nii.gz").write_bytes(whole[:2000])
    arguments = ("--input-dir", tmp_path / "in", "--output", tmp_path / "out")
    status, output, error = predict(unet_run, *arguments)
    assert status == 1
    assert "2 segmented, 1 failed, of 3 cases" in output
    (line,) = error.strip().splitlines()
    assert "b_0001.nii.gz" in line and "truncated" in line
    assert {"a.nii.gz", "c.nii.gz"} < set(names(tmp_path / "out")) and "b.nii.gz" not in names(tmp_path / "out")

    (tmp_path / "in" / "b_0001.nii.gz").write_bytes(whole)
    before = (tmp_path / "out" / "a.nii.gz").stat().st_mtime_ns
    status, output, error = predict(unet_run, *arguments, "--skip-existing")
    assert status == 0, error
    assert "1 segmented, 0 failed" in output
    assert (tmp_path / "out" / "a.nii.gz").stat().st_mtime_ns == before
    assert len(Page((tmp_path / "out" / "qc.html").read_text()).pictures) == 3


def test_another_scan_of_the_same_name(unet_run, tmp_path, predict):
    """Its segmentation is not replaced, nor taken for this scan's."""
    out = tmp_path / "out"
    scans = {
        folder: write_case(tmp_path / folder, ["ann_T1.nii.gz", "ann_T2.nii.gz"], number)
        for number, folder in enumerate(("left", "right"), start=1)
    }

    def call(folder, *more):
        return predict(unet_run, "--input", *scans[folder], "--output", out, *more)

    assert call("left")[0] == 0
    before = (out / "ann_dseg.nii.gz").read_bytes()
    for more in ((), ("--skip-existing",)):
        status, _, error = call("right", *more)
        (line,) = error.strip().splitlines()
        assert status == 1 and "ann_dseg.json" in line and str(scans["left"][0]) in line and "another --output" in line
        assert (out / "ann_dseg.nii.gz").read_bytes() == before
    status, output, _ = call("left", "--skip-existing")
    assert status == 0 and "0 segmented, 0 failed, of 1 cases" in output
    # Done is what has every file that is asked for.
    for count in (1, 0):
        status, output, _ = call("left", "--skip-existing", "--entropy")
        assert status == 0 and f"{count} segmented, 0 failed" in output and (out / "ann_entropy.nii.gz").is_file()


@pytest.mark.parametrize(("names", "theirs"), [("ann_T1 ann_T2", "ann_dseg"), ("ann_0000 ann_0001", "ann")])
def test_a_label_map_of_another_maker_stays(unet_run, tmp_path, predict, names, theirs):
    write_case(tmp_path / "in", [f"{name}.nii.gz" for name in names.split()])
    truth = write_case(tmp_path / "out", [f"{theirs}.nii.gz"])[0]
    before = truth.read_bytes()
    for more in ((), ("--skip-existing",)):
        status, _, error = predict(unet_run, "--input-dir", tmp_path / "in", "--output", tmp_path / "out", *more)
        (line,) = error.strip().splitlines()
        assert status == 1 and str(truth) in line and "another --output" in line
        assert truth.read_bytes() == before


def test_what_was_written_under_another_naming_vouches_for_nobodys_truth(unet_run, tmp_path, predict):
    scans = write_case(tmp_path / "in", ["ann_0000.nii.gz", "ann_0001.nii.gz"])
    truth = write_case(tmp_path / "out", ["ann.nii.gz"])[0]
    before = truth.read_bytes()
    assert predict(unet_run, "--input", *scans, "--output", tmp_path / "out")[0] == 0
    for more in ((), ("--skip-existing",)):
        status, _, error = predict(unet_run, "--input-dir", tmp_path / "in", "--output", tmp_path / "out", *more)
        (line,) = error.strip().splitlines()
        assert status == 1 and str(truth) in line and "not as this command wrote it" in line
        assert truth.read_bytes() == before


def test_another_model_s_segmentations_are_not_taken(unet_run, tmp_path, predict):
    shutil.copytree(unet_run, tmp_path / "other")
    files = write_case(tmp_path / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])

    def call(run, *more):
        status, output, error = predict(run, "--input", *files, "--output", tmp_path / "out", "--skip-existing", *more)
        assert status == 0, error
        return int(re.search(r"(\d+) segmented, 0 failed", output)[1])

    assert [call(unet_run), call(tmp_path / "other")] == [1, 1]
    # The run is trained anew, or asked for something else.
    model = load_model(tmp_path / "other")
    model.set_weights([weight + 1 for weight in model.get_weights()])
    model.save(tmp_path / "other" / "model.keras")
    assert call(tmp_path / "other") == 1
    assert [call(tmp_path / "other", "--tta"), call(tmp_path / "other", "--tta")] == [1, 0]


def test_the_probabilities_of_several_runs_are_averaged(unet_run, tmp_path, predict):
    shutil.copytree(unet_run, tmp_path / "other")
    model, random = load_model(tmp_path / "other"), np.random.default_rng(0)
    model.set_weights([weight + random.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "other" / "model.keras")
    files = write_case(tmp_path / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])
    found = {}
    for name, runs in {
        "a": [unet_run],
        "b": [tmp_path / "other"],
        "both": [unet_run, tmp_path / "other"],
    }.items():
        status, _, error = predict(*runs, "--input", *files, "--output", tmp_path / name)
        assert status == 0, error
        found[name] = [nib.load(tmp_path / name / f"ann_{kind}.nii.gz").get_fdata() for kind in ("probseg", "dseg")]
    mean = (found["a"][0] + found["b"][0]) / 2
    assert np.abs(found["a"][0] - found["b"][0]).max() > 0.1
    assert np.allclose(found["both"][0], mean, atol=1e-6)
    background = 1 - mean.sum(axis=-1, keepdims=True)
    sure = np.sort(np.concatenate([background, mean], axis=-1), axis=-1)
    sure = sure[..., -1] - sure[..., -2] > 1e-5
    expected = np.argmax(np.concatenate([background, mean], axis=-1), axis=-1)
    assert sure.mean() > 0.9 and np.array_equal(found["both"][1][sure], expected[sure])
    made_by = json.loads((tmp_path / "both" / "ann_dseg.json").read_text())["GeneratedBy"]
    assert str(unet_run) in made_by and str(tmp_path / "other") in made_by


def test_runs_that_do_not_go_together_are_refused(unet_run, tiny_cohort, tiny_split, tiny_config, tmp_path, predict):
    unet = dataclasses.replace(tiny_config, model="unet")
    files = write_case(tmp_path / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])

    def refused(other, words):
        status, _, error = predict(unet_run, other, "--input", *files, "--output", tmp_path / "out")
        (line,) = error.splitlines()
        assert status == 2 and words in line and "expected" in line and not (tmp_path / "out").exists()

    refused(unet_run, "each run once")
    table = dataclasses.replace(tiny_cohort.labels, classes={0: 0, 10: 1, 150: 2, 250: 2}, tissues=("CSF", "brain"))
    cohort = dataclasses.replace(tiny_cohort, labels=table)
    refused(write_untrained_run(tmp_path / "tissues", cohort, tiny_split, unet), "CSF, brain")
    config = dataclasses.replace(unet, preparation=Preparation(normalise="percentile"))
    refused(write_untrained_run(tmp_path / "percentile", tiny_cohort, tiny_split, config), "percentile")
    turned = tiny_cohort.with_modalities(("T2", "T1"))
    refused(write_untrained_run(tmp_path / "turned", turned, tiny_split, unet), "the modalities T2, T1")


def test_scans_unlike_those_of_the_training_are_doubted(unet_run, tmp_path, predict):
    files = write_case(tmp_path, ["ann_T1.nii.gz", "ann_T2.nii.gz"], affine=np.diag([2.0, 2, 2, 1]))
    image = nib.load(files[0])
    full = np.asanyarray(image.dataobj) + 7
    nib.save(nib.Nifti1Image(full, image.affine), files[0])
    status, output, error = predict(unet_run, "--input", *files, "--output", tmp_path / "out")
    assert status == 0, error
    doubts = [line for line in output.splitlines() if line.startswith("warning: ann: ")]
    assert len(doubts) == 2, doubts
    assert "voxels of 2×2×2 mm, the model learned from 1×1×1 mm" in doubts[0] and "0.0% of it is 0" in doubts[1]


def test_voxels_of_another_form_are_doubted(unet_run, tmp_path, predict):
    """0.7×0.7×2 mm hold as much as 1×1×1 mm."""
    files = write_case(tmp_path, ["ann_T1.nii.gz", "ann_T2.nii.gz"], affine=np.diag([0.7, 0.7, 2, 1]))
    status, output, error = predict(unet_run, "--input", *files, "--output", tmp_path / "out")
    assert status == 0, error
    (doubt,) = [line for line in output.splitlines() if line.startswith("warning: ann: ")]
    assert "voxels of 0.7×0.7×2 mm, the model learned from 1×1×1 mm" in doubt


def test_bids_in_shards(unet_run, tmp_path, predict):
    for number, subject_id in enumerate(("sub-01", "sub-02", "sub-03"), start=1):
        write_case(
            tmp_path / "in" / subject_id / "anat", [f"{subject_id}_T1w.nii.gz", f"{subject_id}_T2w.nii.gz"], number
        )
    for shard, count in (("1/2", 2), ("2/2", 1)):
        arguments = ("--input-dir", tmp_path / "in", "--output", tmp_path / "out", "--shard", shard, "--tta")
        status, output, error = predict(unet_run, *arguments)
        assert status == 0, error
        assert f"{count} segmented, 0 failed, of 3 cases" in output
    for subject_id in ("sub-01", "sub-02", "sub-03"):
        assert (tmp_path / "out" / subject_id / "anat" / f"{subject_id}_dseg.nii.gz").is_file()
    description = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Name"] == "tf_msgan"
    assert len(Page((tmp_path / "out" / "qc.html").read_text()).pictures) == 3


def test_wrong_input(unet_run, tmp_path, call):
    files = write_case(tmp_path / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])
    out = ("--output", tmp_path / "out")

    def refused(run, *arguments, words, call=call):
        assert_one_line_error(call("tf_msgan.predict", run, *arguments, *out), *words)
        assert not (tmp_path / "out").exists()

    # Once as a user runs it: nothing that TensorFlow says while it loads comes before.
    refused(tmp_path / "none", "--input", *files, words=[tmp_path / "none", "no such file"], call=run_command)
    refused(unet_run, "--input", files[0], words=["1 files", "2: T1, T2"])
    refused(unet_run, "--input", files[0], tmp_path / "none.nii.gz", words=["none.nii.gz", "no such file"])
    refused(unet_run, "--input-dir", tmp_path, "--shard", "3/2", words=["--shard", "3/2"])
    refused(unet_run, "--input", *files, "--threads", 0, words=["--threads", "0"])
    refused(unet_run, "--input", *files, "--deadline", 9, words=["--deadline", "9", "--serving"])


def test_every_orientation_comes_back_on_its_own_grid(unet_run, tmp_path, predict):
    """One brain in files of several orientations: the same labels at the same places, on each file's own grid."""
    orientations = ("RAS", "LPS", "PIR", "SLA", "ILP")
    t1, t2, _ = tiny_brain(3)
    source = nib.orientations.io_orientation(OBLIQUE)
    for axcodes in orientations:
        turn = nib.orientations.ornt_transform(source, nib.orientations.axcodes2ornt(axcodes))
        for name, data in (("T1", t1), ("T2", t2)):
            image = nib.Nifti1Image(data, OBLIQUE).as_reoriented(turn)
            nib.save(image, tmp_path / f"{axcodes}_{name}.nii.gz")
    status, _, error = predict(unet_run, "--input-dir", tmp_path, "--output", tmp_path / "out")
    assert status == 0, error
    seen = []
    for axcodes in orientations:
        scan, labels = nib.load(tmp_path / f"{axcodes}_T1.nii.gz"), nib.load(tmp_path / f"out/{axcodes}_dseg.nii.gz")
        assert "".join(nib.aff2axcodes(labels.affine)) == axcodes
        assert np.array_equal(labels.affine, scan.affine) and labels.shape == scan.shape
        seen.append(np.asanyarray(nib.as_closest_canonical(labels).dataobj))
    assert all(np.array_equal(labels, seen[0]) for labels in seen[1:]) and len(np.unique(seen[0])) > 1


def test_a_resampled_run_answers_on_the_scans_own_grid(tiny_cohort, tiny_split, tiny_config, tmp_path, predict):
    config = dataclasses.replace(tiny_config, preparation=Preparation(resample=1.5, spacing=(1.5, 1.5, 1.5)))
    run = write_untrained_run(tmp_path / "run", tiny_cohort, tiny_split, config)
    files = write_case(tmp_path / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])
    status, _, error = predict(run, "--input", *files, "--output", tmp_path / "out", "--realness")
    assert status == 0, error
    for kind in ("dseg", "preal", "probseg"):
        image = nib.load(tmp_path / f"out/ann_{kind}.nii.gz")
        assert image.shape[:3] == nib.load(files[0]).shape
        assert np.array_equal(image.affine, nib.load(files[0]).affine)
    labels = np.asanyarray(nib.load(tmp_path / "out/ann_dseg.nii.gz").dataobj)
    probabilities = np.asanyarray(image.dataobj)
    assert probabilities.min() >= 0 and probabilities.sum(axis=-1).max() <= 1 + 1e-5
    foreground = labels > 0
    assert np.array_equal(labels[foreground], 1 + probabilities[foreground].argmax(axis=-1))


def test_a_missing_modality(unet_run, tiny_cohort, tiny_split, tiny_config, tmp_path, predict):
    augmentation = dataclasses.replace(tiny_config.augmentation, drop_modality=0.3)
    config = dataclasses.replace(tiny_config, model="unet", augmentation=augmentation)
    run = write_untrained_run(tmp_path / "run", tiny_cohort, tiny_split, config)
    for name, modalities in (("ann", ["T1", "T2"]), ("bob", ["T1"])):
        write_case(tmp_path / "in", [f"{name}_{modality}.nii.gz" for modality in modalities])
    t2 = write_case(tmp_path / "other", ["none", "carl_T2.nii.gz"])[1]

    status, output, _ = predict(run, "--input-dir", tmp_path / "in", "--output", tmp_path / "out")
    assert status == 0 and "2 segmented, 0 failed" in output
    status, _, error = predict(run, "--input", "none", t2, "--output", tmp_path / "t2")
    assert status == 0, error
    assert nib.load(tmp_path / "t2/carl_dseg.nii.gz").shape == nib.load(t2).shape

    status, _, error = predict(unet_run, "--input-dir", tmp_path / "in", "--output", tmp_path / "refused")
    assert status == 1 and len(error.splitlines()) == 1
    assert "bob_T2.nii.gz: found no T2" in error
    assert "expected all of T1, T2: the model was not trained with --drop-modality" in error
    assert (tmp_path / "refused/ann_dseg.nii.gz").is_file()
    status, _, error = predict(run, "--input", "none", "none", "--output", tmp_path / "refused")
    assert status == 2 and "found none alone" in error


def test_p_real_of_a_d_that_has_not_learnt_is_refused(tiny_cohort, tiny_split, tiny_config, tmp_path, predict):
    run = write_untrained_run(tmp_path / "run", tiny_cohort, tiny_split, tiny_config.with_training(labels_first=0.5))
    files = write_case(tmp_path / "in", ["ann_T1.nii.gz", "ann_T2.nii.gz"])
    status, _, error = predict(run, "--input", *files, "--output", tmp_path / "out", "--realness")
    assert status == 2 and not (tmp_path / "out").exists()
    assert "best epoch lies before the adversarial phase; expected a D that has learnt" in error


def test_a_model_of_one_modality_finds_its_channel(tiny_cohort, tiny_split, tiny_config, tmp_path, predict):
    """In a folder of nnU-Net's that holds others, too."""
    config = dataclasses.replace(tiny_config, model="unet")
    run = write_untrained_run(tmp_path / "run", tiny_cohort.with_modalities(("T2",)), tiny_split, config)
    write_case(tmp_path / "set/imagesTs", ["ann_0000.nii.gz", "ann_0001.nii.gz"])
    (tmp_path / "set/dataset.json").write_text('{"channel_names": {"0": "T1", "1": "T2"}, "labels": {}}')
    status, _, error = predict(run, "--input-dir", tmp_path / "set/imagesTs", "--output", tmp_path / "out")
    assert status == 0, error
    (source,) = json.loads((tmp_path / "out/ann_dseg.json").read_text())["Sources"]
    assert Path(source).name == "ann_0001.nii.gz"
