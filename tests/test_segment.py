"""Whole scans."""

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.data.background import BACKGROUND
from tf_msgan.data.cohort import Scan, load_scan
from tf_msgan.inference.segment import outline_volume, segment
from tf_msgan.models.fusion import fuse
from tf_msgan.training.runtime import build_model

TISSUES = ("CSF", "GM", "WM")


class PointwiseModel:
    """Stands in for a trained model: what it says of a voxel depends on that voxel alone."""

    tissues = TISSUES

    def refine_average(self, inputs, training):
        image, coarse = inputs
        return tf.nn.softmax(tf.concat([-image[..., :1], image, coarse], axis=-1))

    def coarse_average(self, half, training):
        brain = tf.sigmoid(half[..., :1])
        return tf.concat([1 - brain, brain], axis=-1)


def make_scan(shape, seed=0):
    rng = np.random.default_rng(seed)
    brain = rng.random(shape) < 0.8
    image = rng.normal(size=(*shape, 2)).astype(np.float32) * brain[..., None]
    return Scan("x", image, brain, None, np.eye(4), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("shape", [(33, 47, 61), (16, 16, 16), (5, 40, 17), (64, 64, 65)])
def test_tiling_equals_the_whole_volume_for_a_pointwise_model(shape):
    scan, model = make_scan(shape), PointwiseModel()
    coarse = outline_volume(model, scan.masked())
    image = np.where(scan.brain[..., None], scan.image, BACKGROUND).astype(np.float32)
    whole = fuse(coarse, model.refine_average([image, coarse], training=False)).numpy()
    result = segment(model, scan, tile=(16, 20, 24))
    assert result.probabilities.shape == (*shape, 4)
    assert np.allclose(result.probabilities, whole, atol=1e-5)
    sure = np.sort(whole, axis=-1)
    sure = sure[..., -1] - sure[..., -2] > 1e-4
    assert np.array_equal(result.labels[sure], whole.argmax(axis=-1)[sure])


def test_outline_is_at_half_resolution_and_aligned():
    scan = make_scan((7, 8, 9))
    outline = outline_volume(PointwiseModel(), scan.masked())
    assert outline.shape == (7, 8, 9, 1)
    assert np.array_equal(outline[0:6:2], outline[1:7:2])
    assert np.array_equal(outline[:, :, 0:8:2], outline[:, :, 1:9:2])


def test_probabilities_are_averaged_and_not_label_ids(tiny_config):
    """Tiles that say class 1 and class 3 must never make a voxel class 2: the ancestor's stitching did."""

    class Torn(PointwiseModel):
        calls = 0

        def refine_average(self, inputs, training):
            # The tile's number is told by its first voxel.
            first = tf.reduce_max(inputs[0]) > 0
            one, three = tf.one_hot(1, 4), tf.one_hot(3, 4)
            chosen = tf.where(first, 0.9 * one + 0.1 * three, 0.1 * one + 0.9 * three)
            return tf.broadcast_to(chosen, [*inputs[0].shape[:4], 4])

        def coarse_average(self, half, training):
            return tf.broadcast_to(tf.constant([0.0, 1.0]), [*half.shape[:4], 2])

    shape = (24, 16, 16)
    image = np.zeros((*shape, 2), np.float32)
    image[0] = 1.0
    scan = Scan("x", image, np.ones(shape, bool), None, np.eye(4), (1.0, 1.0, 1.0))
    result = segment(Torn(), scan, tile=(16, 16, 16))
    assert set(np.unique(result.labels)) == {1, 3}
    middle = result.probabilities[8:16]
    assert np.any((middle[..., 1] > 0.3) & (middle[..., 3] > 0.3))


def test_a_trained_model_on_an_odd_scan(tiny_cohort, tiny_config):
    model = build_model(2, TISSUES, tiny_config)
    scan = load_scan(tiny_cohort, "4", with_labels=False)
    done = []
    result = segment(model, scan, tile=(16, 16, 16), progress=lambda n, total: done.append((n, total)))
    assert result.labels.shape == scan.brain.shape and result.labels.dtype == np.uint8
    assert result.probabilities.sum(axis=-1) == pytest.approx(np.ones(scan.brain.shape), abs=1e-5)
    assert done[-1][0] == done[-1][1] == len(done)
    whole = segment(model, scan, tile=(40, 40, 40))
    assert np.mean(whole.labels == result.labels) > 0.5
