"""The exported SavedModel against the local model, on real files."""

import errno
import json

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.conftest import run_command
from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.errors import InputError
from tf_msgan.inference.saved_model import WARM_UP, export_model
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.io.images import read_images
from tf_msgan.preprocessing.raw_image import network_grid, take_image
from tf_msgan.preprocessing.reserved_values import BACKGROUND
from tf_msgan.runs.trained_model import load_model

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def exported(untrained_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models")
    result = run_command("tf_msgan.export", untrained_run, "--name", "brain", "--output", folder)
    assert result.returncode == 0, result.stderr
    assert str(folder / "brain" / "1") in result.stdout
    return folder / "brain" / "1"


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported)).signatures


def raw_image(cohort, subject_id):
    volumes = read_images(cohort.subjects[subject_id].images)
    return take_image(volumes, network_grid(volumes, STRIPPED), STRIPPED)


def test_whole_scans_equal_the_local_ones(signatures, untrained_run, tiny_cohort):
    """A batch of two, in a field wider than the brain."""
    images = [np.pad(raw_image(tiny_cohort, subject_id), [(4, 0), (0, 6), (3, 3), (0, 0)]) for subject_id in ("4", "5")]
    shape = np.max([image.shape for image in images], axis=0)
    images = [np.pad(i, [(0, n) for n in shape - i.shape]) for i in images]
    served = signatures["serving_default"](image=tf.stack(images))
    segmenter = Segmenter(load_model(untrained_run))
    for n, image in enumerate(images):
        local = segmenter(image)
        assert np.array_equal(served["labels"][n], local.labels)
        assert np.allclose(served["probabilities"][n], local.probabilities, atol=1e-5)
        assert bool(served["outline_failed"][n]) == local.outline_failed


def test_labels_equal_those_that_predict_writes(signatures, untrained_run, tiny_cohort, tmp_path):
    files = tiny_cohort.subjects["4"].images
    result = run_command("tf_msgan.predict", untrained_run, "--input", *files, "--output", tmp_path, "--no-progress")
    assert result.returncode == 0, result.stderr
    served = signatures["serving_default"](image=raw_image(tiny_cohort, "4")[None])

    def canonical(kind):
        return np.asanyarray(nib.as_closest_canonical(nib.load(tmp_path / f"subject-4_{kind}.nii.gz")).dataobj)

    assert np.array_equal(served["labels"][0], canonical("dseg"))
    probabilities = canonical("probseg")
    assert np.allclose(served["probabilities"][0, ..., 1:], probabilities, atol=1e-5)


def test_patch_and_coarse(signatures, untrained_run, tiny_cohort):
    model = load_model(untrained_run)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(3, 17, 24, 20, 2)).astype(np.float32)
    coarse = rng.random((3, 17, 24, 20, model.guides), np.float32)
    expected = model.refine_average([image, coarse], training=False)
    assert np.allclose(signatures["patch"](image=image, coarse_map=coarse)["probabilities"], expected, atol=1e-5)
    # Background lies beyond an image.
    around = np.pad(image, [(0, 0), *[(n, n) for n in model.margin], (0, 0)], constant_values=BACKGROUND)
    expected = model.coarse_average(around, training=False)
    assert np.allclose(signatures["coarse"](half_image=image)["probabilities"], expected, atol=1e-5)


def test_describe(signatures):
    described = signatures["describe"]()
    assert [name.decode() for name in described["tissues"].numpy()] == ["CSF", "GM", "WM"]
    assert [name.decode() for name in described["modalities"].numpy()] == ["T1", "T2"]
    assert Preparation(**json.loads(described["preparation"].numpy())) == STRIPPED
    assert not described["takes_missing_modality"]


def test_voxels_that_are_not_finite_are_refused(signatures, tiny_cohort):
    image = raw_image(tiny_cohort, "4")[None]
    image[0, 3, 3, 3, 1] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="image: voxels that are NaN"):
        signatures["serving_default"](image=image)


def test_a_scan_of_zeros_is_background(signatures):
    served = signatures["serving_default"](image=tf.zeros((1, 9, 8, 7, 2)))
    assert not np.any(served["labels"]) and np.all(np.isfinite(served["probabilities"]))


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (tf.errors.ResourceExhaustedError(None, None, "No space left on device"), InputError),
    ],
)
def test_no_half_of_one_is_ever_served(unet_run, tmp_path, monkeypatch, error, found):
    """TF Serving takes every number for a version, as soon as it is there. TensorFlow's own errors are told in a line
    as the system's are."""
    base, seen = tmp_path / "brain", []

    def fail(*arguments):
        seen.append([path.name for path in base.iterdir()])
        raise error

    monkeypatch.setattr(tf.io, "TFRecordWriter", fail)
    with pytest.raises(found, match="No space left"):
        export_model(load_model(unet_run), base)
    ((half,),) = seen
    assert not half.isdigit() and not any(base.iterdir())


def test_warm_up_is_a_request_that_works(exported, signatures):
    (record,) = tf.data.TFRecordDataset(str(exported / WARM_UP)).as_numpy_iterator()
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("brain", "serving_default")
    image = tf.make_ndarray(request.inputs["image"])
    assert signatures["serving_default"](image=image)["labels"].shape == image.shape[:-1]
