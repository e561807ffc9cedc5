"""The Python interface: a trained model as a function of scans."""

import dataclasses
import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest

import tf_msgan
from tests.conftest import save_nifti, segment, write_untrained_run
from tf_msgan.errors import InputError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def brain(unet_run):
    return tf_msgan.load(unet_run)


def data_of(image):
    return np.asanyarray(image.dataobj)


def test_paths_images_and_arrays_are_one(brain, scan):
    t1, t2 = map(nib.load, scan)
    expected = segment(brain, *scan)
    assert brain.modalities == ("T1", "T2") and brain.tissues == ("CSF", "GM", "WM")
    arrays = [data_of(image) for image in (t1, t2)]
    for result in (
        segment(brain, *map(str, scan)),
        segment(brain, T2=scan[1], T1=scan[0]),
        segment(brain, t1, t2),
        segment(brain, *arrays, affine=t1.affine),
        segment(brain, arrays[0].astype(np.float64), t2, affine=t1.affine),
    ):
        assert np.array_equal(data_of(result.labels), data_of(expected.labels))
        assert np.array_equal(data_of(result.probabilities), data_of(expected.probabilities))
        assert np.array_equal(result.labels.affine, t1.affine)
    assert data_of(expected.labels).dtype == np.uint8 and expected.labels.shape == t1.shape
    assert data_of(expected.probabilities).dtype == np.float32 and expected.probabilities.shape == (*t1.shape, 3)
    voxel_ml = abs(np.linalg.det(t1.affine[:3, :3])) / 1000
    counts = np.bincount(data_of(expected.labels).ravel(), minlength=4)[1:]
    assert expected.volumes == pytest.approx(dict(zip(brain.tissues, counts * voxel_ml, strict=True)), abs=1e-4)


def test_it_is_what_the_command_writes(unet_run, scan, tmp_path, call):
    result = segment(tf_msgan.load(unet_run), *scan)
    labels = result.save(tmp_path / "saved")
    assert labels == tmp_path / "saved" / "ann_dseg.nii.gz"
    command = call("tf_msgan.predict", unet_run, "--input", *scan, "--output", tmp_path / "maps")
    assert command.returncode == 0, command.stderr
    for kind in ("dseg.nii.gz", "probseg.nii.gz", "volumes.tsv", "dseg.json", "probseg.json"):
        assert (tmp_path / "saved" / f"ann_{kind}").read_bytes() == (tmp_path / "maps" / f"ann_{kind}").read_bytes()
    assert (tmp_path / "saved/dseg.tsv").read_bytes() == (tmp_path / "maps/dseg.tsv").read_bytes()
    assert json.loads((tmp_path / "saved/ann_dseg.json").read_text())["Version"] == tf_msgan.__version__


def test_another_scan_is_not_replaced(brain, scan, tmp_path):
    result = segment(brain, *scan)
    result.save(tmp_path / "out")
    result.save(tmp_path / "out")
    other = [shutil.copy(path, tmp_path / path.name) for path in scan]
    with pytest.raises(InputError, match="another --output"):
        segment(brain, *other).save(tmp_path / "out")
    arrays = segment(brain, *(data_of(nib.load(path)) for path in scan), affine=nib.load(scan[0]).affine)
    with pytest.raises(TypeError, match="no name"):
        arrays.save(tmp_path / "out")
    with pytest.raises(InputError, match="a label map there already"):
        arrays.save(tmp_path / "out", name="ann")
    assert arrays.save(tmp_path / "out", name="bob").is_file()
    # Whose scan bob's is, nobody knows.
    with pytest.raises(InputError, match="the segmentation of images without files"):
        result.save(tmp_path / "out", name="bob")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "0 images; expected 2: T1, T2, in this order"),
        (("T1",), "1 images; expected 2"),
        (("T1", "T2", "T2"), "3 images"),
        (("T1", 3), "T2: a int; expected a path"),
        (("T1", "array"), "T2: an array; expected its affine"),
    ],
)
def test_other_images_than_the_models_are_refused(brain, scan, arguments, message):
    known = {"T1": scan[0], "T2": scan[1], "array": np.ones((3, 3, 3)), 3: 3}
    with pytest.raises(TypeError, match=re.escape(message)):
        brain(*(known[name] for name in arguments))


def test_names_must_be_the_models(brain, scan):
    with pytest.raises(TypeError, match="no modality called FLAIR; the model takes T1, T2"):
        brain(T1=scan[0], FLAIR=scan[1])
    with pytest.raises(TypeError, match="both in order and by name"):
        brain(scan[0], T2=scan[1])
    with pytest.raises(TypeError, match="complex128"):
        brain(np.ones((3, 3, 3), complex), scan[1], affine=np.eye(4))
    with pytest.raises(TypeError, match="affine of shape \\(3, 3\\)"):
        brain(np.ones((3, 3, 3)), scan[1], affine=np.eye(3))
    with pytest.raises(TypeError, match="one modality twice"):
        brain(T1=scan[0], T1w=scan[1])


def test_t1_is_t1w(brain, scan):
    expected = data_of(segment(brain, *scan).labels)
    assert np.array_equal(data_of(segment(brain, t2=scan[1], T1w=scan[0]).labels), expected)


def test_bad_scans_are_input_errors(brain, scan, tmp_path):
    image = nib.load(scan[0])
    for bad, message in (
        (tmp_path / "none.nii.gz", "no such file"),
        (nib.Nifti1Image(np.full((9, 9, 9), np.nan, np.float32), np.eye(4)), "T2: found 729 voxels that are NaN"),
        (nib.Nifti1Image(np.ones((9, 9), np.float32), np.eye(4)), "three axes"),
        (nib.Nifti1Image(data_of(image), image.affine @ np.diag([1, 1, 1.5, 1])), "corners lie"),
        (nib.Nifti1Image(data_of(image) * 0, image.affine), "the constant 0"),
        (nib.Nifti1Image(data_of(image), None), "no affine"),
    ):
        with pytest.raises(InputError, match=message):
            brain(scan[0], bad)
    with pytest.raises(InputError, match="no T2; expected all of T1, T2"):
        brain(T1=scan[0])


def test_doubts_are_warned_of(brain, scan):
    arrays = [data_of(nib.load(path)) for path in scan]
    with pytest.warns(UserWarning, match="T1: voxels of 2×2×2 mm, the model learned from 1×1×1 mm"):
        result = brain(*arrays, affine=np.diag([2.0, 2, 2, 1]))
    assert len(result.doubts) == 1


def test_a_modality_may_be_missing_if_the_model_learned_that(tiny_cohort, tiny_split, tiny_config, tmp_path, scan):
    config = dataclasses.replace(tiny_config, model="unet").with_fields(["augmentation.drop_modality=0.3"])
    brain = tf_msgan.load(write_untrained_run(tmp_path / "run", tiny_cohort, tiny_split, config))
    result = segment(brain, T2=scan[1])
    assert "segmented without T1, which it lacks" in result.doubts
    assert result.labels.shape == nib.load(scan[1]).shape
    assert np.array_equal(data_of(segment(brain, None, scan[1]).labels), data_of(result.labels))
    with pytest.raises(InputError, match="expected one at least"):
        brain(None, None)


def test_several_models_are_averaged(unet_run, tiny_cohort, tiny_split, tiny_config, tmp_path, scan):
    config = dataclasses.replace(tiny_config, model="unet").with_training(seed=7)
    other = write_untrained_run(tmp_path / "run", tiny_cohort, tiny_split, config)
    maps = [
        data_of(segment(tf_msgan.load(*runs), *scan).probabilities)
        for runs in ((unet_run,), (other,), (unet_run, other))
    ]
    assert np.allclose((maps[0] + maps[1]) / 2, maps[2], atol=1e-6)
    with pytest.raises(TypeError, match="no path"):
        tf_msgan.load()
    with pytest.raises(InputError, match="expected each run once"):
        tf_msgan.load(unet_run, unet_run / "model.keras")
    with pytest.raises(
        InputError, match=r"nowhere: found no such file or folder; expected the folder of a finished run"
    ):
        tf_msgan.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot read"):
        tf_msgan.load(save_nifti(tmp_path / "a.nii", np.ones((2, 2, 2), np.uint8)))
