"""Whole scans: tiles against a sum by hand, gates, crops, normalising in the graph."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import STRIPPED, Config, Preparation
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.inference.segmenter import COARSE_HALO, Segmenter, crop
from tf_msgan.inference.tiles import Tiling
from tf_msgan.io.images import read_images
from tf_msgan.networks.coarse_generator import build_coarse_generator
from tf_msgan.networks.fusion import fuse
from tf_msgan.preprocessing.normalisation import normalise
from tf_msgan.preprocessing.raw_image import network_grid, take_image
from tf_msgan.preprocessing.reserved_values import BACKGROUND
from tf_msgan.training.build_model import build_model

pytestmark = pytest.mark.integration

TISSUES = ("CSF", "GM", "WM")


class PointwiseModel:
    """Stands in for a trained model: what it says of a voxel depends on that voxel alone."""

    tissues, channels, config = TISSUES, 2, Config()
    has_coarse_stage, has_discriminator, guides, margin = True, False, 1, (2, 3, 4)
    refined_tiles = 0

    def fuse(self, outline, drawn):
        return fuse(outline, drawn)

    def draw(self, image, coarse):

        def count(number):
            self.refined_tiles += int(number)
            return np.int32(number)

        with tf.control_dependencies([tf.numpy_function(count, [tf.shape(image)[0]], tf.int32)]):
            return tf.nn.softmax(tf.concat([-image[..., :1], image, coarse], axis=-1))

    def coarse_map(self, half):
        return self.outline(half[:, 2:-2, 3:-3, 4:-4, :1])

    def outline(self, first):
        # Brain is whatever is not filled in.
        return tf.sigmoid(8 * (first - BACKGROUND - 0.5))


def raw_image(cohort, subject_id):
    volumes = read_images(cohort.subjects[subject_id].images)
    return take_image(volumes, network_grid(volumes, STRIPPED), STRIPPED)


def noise_image(box, shape, seed=0):
    """Noise in the `box`, `(start, end)` of each axis, of zeros."""
    rng = np.random.default_rng(seed)
    image = np.zeros((*shape, 2), np.float32)
    where = tuple(slice(*axis) for axis in box)
    image[where] = rng.normal(800, 60, image[where].shape)
    return image


@pytest.mark.parametrize("shape", [(33, 47, 61), (16, 16, 16), (5, 40, 17), (64, 64, 65)])
def test_tiling_equals_the_whole_volume_for_a_pointwise_model(shape):
    model = PointwiseModel()
    image = noise_image([(0, n) for n in shape], shape)
    result = Segmenter(model, tile=32)(image)
    masked = normalise(image, STRIPPED).numpy()
    filled = np.where(masked[..., -1:] > 0, masked[..., :-1], BACKGROUND)
    refined = model.draw(filled, np.ones((*shape, 1), np.float32))
    inside = tuple(slice(0, n - n % 2) for n in shape)
    expected = fuse(np.ones((*shape, 1), np.float32), refined).numpy()[inside]
    assert result.probabilities.shape == (*shape, 4) and result.probabilities.dtype == np.float32
    assert np.allclose(result.probabilities[inside], expected, atol=1e-4)
    assert np.array_equal(result.labels, result.probabilities.argmax(axis=-1))
    assert not result.outline_failed


def test_the_box_of_a_scan_changes_nothing():
    """The same brain in a wider field of zeros: as many tiles, and the same maps where it lies."""
    brain = [(3, 40), (7, 50), (5, 41)]
    small, wide = (PointwiseModel() for _ in range(2))
    one = Segmenter(small, tile=32)(noise_image(brain, (44, 52, 43)))
    moved = [(low + 30, high + 30) for low, high in brain]
    other = Segmenter(wide, tile=32)(noise_image(moved, (144, 152, 99)))
    assert small.refined_tiles == wide.refined_tiles > 0
    where = tuple(slice(low, high) for low, high in brain)
    there = tuple(slice(low, high) for low, high in moved)
    assert np.array_equal(one.probabilities[where], other.probabilities[there])
    outside = np.ones((144, 152, 99), bool)
    outside[there] = False
    assert np.all(other.labels[outside] == 0) and np.all(other.probabilities[outside] == [1, 0, 0, 0])


def test_only_tiles_with_brain_are_refined():
    """Two bright lumps in opposite corners of a field that is nowhere 0."""

    class Bright(PointwiseModel):
        def outline(self, first):
            return tf.sigmoid(8 * (first - 2))

    image = noise_image([(0, 120)] * 3, (120, 120, 120))
    image[:24, :24, :24] += 2000
    image[96:, 96:, 96:] += 2000
    gated, all_of_it = Bright(), Bright()
    result = Segmenter(gated, tile=32)(image)
    whole = Segmenter(all_of_it, gated=False, tile=32)(image)
    assert gated.refined_tiles == 2**3 + 2**3 < all_of_it.refined_tiles == 6**3
    brain = image[..., 0] > 1500
    assert np.array_equal(result.labels[brain], whole.labels[brain]) and np.all(result.labels[brain] > 0)
    assert np.all(result.labels[48:72] == 0)


@pytest.mark.parametrize("corner", [(0, 0, 0), (40, 11, 30), (72, 56, 66)])
def test_tiles_are_laid_over_the_brain_wherever_it_lies(corner):
    """A bright brain in a wide field that is nowhere 0: as few tiles as it needs with its margin, and the same maps."""

    class Bright(PointwiseModel):
        def outline(self, first):
            return tf.sigmoid(8 * (first - 2))

    shape = (96, 80, 90)
    image = noise_image([(0, n) for n in shape], shape)
    where = tuple(slice(at, at + 24) for at in corner)
    image[where] += 2000
    gated, all_of_it = Bright(), Bright()
    result = Segmenter(gated, tile=32, with_outline=True)(image)
    whole = Segmenter(all_of_it, gated=False, tile=32, with_outline=True)(image)
    assert 2**3 <= gated.refined_tiles <= 3**3 < all_of_it.refined_tiles
    assert np.array_equal(result.labels[where], whole.labels[where])
    assert np.allclose(result.probabilities[where], whole.probabilities[where], atol=1e-5)
    assert np.array_equal(result.outline[where] > 0.5, whole.outline[where] > 0.5) and result.outline[where].min() > 0.5
    assert result.labels.shape == shape and result.probabilities.sum(axis=-1) == pytest.approx(np.ones(shape), abs=1e-5)


def test_a_coarse_stage_that_fails_is_noticed():
    class Blind(PointwiseModel):
        def outline(self, first):
            return tf.zeros_like(first)

    image = noise_image([(2, 50), (3, 40), (0, 33)], (52, 44, 37))
    blind = Blind()
    result = Segmenter(blind, tile=32)(image)
    assert result.outline_failed
    assert blind.refined_tiles == 2 * 2 * 2
    sighted = Segmenter(PointwiseModel(), tile=32)(image)
    assert np.array_equal(result.labels[4:48, 4:38, 2:32], sighted.labels[4:48, 4:38, 2:32])


def test_a_coarse_map_of_tissues_guides_stage_3():
    """Its tissues together are the outline; where it fails, all are as likely."""

    class Guided(PointwiseModel):
        guides = 3
        split = (0.2, 0.3, 0.5)

        def outline(self, first):
            return super().outline(first) * tf.constant(self.split)

        def draw(self, image, coarse):
            return tf.concat([1 - tf.reduce_sum(coarse, -1, keepdims=True), coarse], -1)

        def fuse(self, coarse, drawn):
            return drawn

    class Blind(Guided):
        split = (0.0, 0.0, 0.0)

    image = noise_image([(2, 50), (3, 40), (0, 33)], (52, 44, 37))
    inside = slice(8, 40), slice(8, 30), slice(8, 24)
    plain = Segmenter(PointwiseModel(), tile=32, with_outline=True)(image)
    result = Segmenter(Guided(), tile=32, with_outline=True)(image)
    assert np.allclose(result.outline, plain.outline, atol=1e-6)
    expected = result.outline[inside][..., None] * [0.2, 0.3, 0.5]
    assert np.allclose(result.probabilities[inside][..., 1:], expected, atol=1e-5)
    blind = Segmenter(Blind(), tile=32)(image)
    assert blind.outline_failed and np.allclose(blind.probabilities[inside][..., 1:], 1 / 3, atol=1e-5)


def test_a_small_structure_is_no_failure_of_its_own_map():
    """Of less than 1 % of the scan: every tile is refined, and the coarse map guides as it is."""

    class Bright(PointwiseModel):
        guides = 2

        def outline(self, first):
            return tf.sigmoid(8 * (first - 2)) * tf.constant([0.5, 0.5])

        def draw(self, image, coarse):
            return tf.concat([1 - tf.reduce_sum(coarse, -1, keepdims=True), coarse, tf.zeros_like(coarse[..., :1])], -1)

        def fuse(self, coarse, drawn):
            return drawn

    image = noise_image([(0, 60)] * 3, (60, 60, 60))
    image[20:28, 20:28, 20:28] += 4000
    model, ungated = Bright(), Bright()
    result = Segmenter(model, tile=32)(image)
    Segmenter(ungated, gated=False, tile=32)(image)
    assert result.outline_failed and model.refined_tiles == ungated.refined_tiles
    assert 6**3 <= np.count_nonzero(result.labels) <= 12**3


def test_mirrored_maps_do_not_depend_on_the_side(tiny_config):
    """A scan and its mirror image give mirrored maps, whatever the networks learned."""
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    # Whole tiles, so that both are cut alike.
    image = noise_image([(0, 52), (0, 32), (0, 32)], (52, 32, 32))
    segmenter = Segmenter(model, mirrored=True, gated=False, tile=32)
    one, other = segmenter(image), segmenter(image[::-1])
    assert np.allclose(one.probabilities, other.probabilities[::-1], atol=1e-5)
    plain = Segmenter(model, gated=False, tile=32)(image)
    assert not np.allclose(plain.probabilities, one.probabilities, atol=1e-4)


@pytest.mark.parametrize(("spacing", "expected"), [((1.0, 1.0, 1.0), (24, 24, 24)), ((0.958, 0.958, 3.0), (32, 32, 8))])
def test_tiles_are_as_large_as_patches(spacing, expected, tiny_config):
    preparation = dataclasses.replace(tiny_config.preparation, spacing=spacing)
    config = dataclasses.replace(tiny_config, preparation=preparation).with_training(patch=24)
    assert Segmenter(build_model(("T1", "T2"), TISSUES, config)).tiling.tile == config.patch == expected


def test_a_tile_need_be_no_power_of_two(tiny_config):
    """Maps of pointwise networks do not depend on the tiles."""
    rng = np.random.default_rng(5)
    image = rng.uniform(1, 100, (50, 41, 37, 2)).astype(np.float32)
    by_24, by_32 = (Segmenter(PointwiseModel(), tile=side)(image) for side in (24, 32))
    assert np.allclose(by_24.probabilities, by_32.probabilities, atol=1e-5)


def test_probabilities_are_averaged_and_not_label_ids():
    """Tiles that say class 1 and class 3 must never make a voxel class 2: the ancestor's stitching did."""

    class Torn(PointwiseModel):
        def draw(self, image, coarse):
            first = tf.reduce_max(image, axis=[1, 2, 3, 4], keepdims=True) > 4.9
            one, three = tf.one_hot(1, 4), tf.one_hot(3, 4)
            chosen = tf.where(first, 0.9 * one + 0.1 * three, 0.1 * one + 0.9 * three)
            return tf.ones_like(coarse) * chosen

    image = noise_image([(0, 52), (0, 32), (0, 32)], (52, 32, 32))
    image[0, 0, 0] = 2000
    result = Segmenter(Torn(), tile=32)(image)
    assert set(np.unique(result.labels)) == {1, 3}
    middle = result.probabilities[16:32]
    assert np.any((middle[..., 1] > 0.3) & (middle[..., 3] > 0.3))


def test_normalising_in_the_graph_is_that_of_training(tiny_cohort):
    scan = load_scan(tiny_cohort, "4", with_labels=False)
    assert np.array_equal(normalise(raw_image(tiny_cohort, "4"), STRIPPED), scan.masked)


def test_crop_and_normalise_nothing():
    start, box = crop(tf.zeros((4, 5, 6, 2)))
    assert start.numpy().tolist() == [0, 0, 0] and box.shape == (4, 5, 6, 2)
    assert np.all(normalise(box, STRIPPED) == 0)
    assert np.all(normalise(tf.ones((4, 5, 6, 2)), STRIPPED)[..., :2] == 0)


def test_slabs_of_the_coarse_stage_equal_the_whole(tiny_config):
    """What is shown beyond a slab is more than a voxel of the outline depends on."""
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    masked = np.random.default_rng(0).normal(size=(320, 16, 24, 3)).astype(np.float32)
    masked[..., -1] = 1
    segmenter = Segmenter(model)
    slabs = tf.function(segmenter.coarse_map, autograph=False)(masked).numpy()
    half = masked[..., :2].reshape(160, 2, 8, 2, 12, 2, 2).mean(axis=(1, 3, 5))
    around = np.pad(half, [*[(n, n) for n in model.margin], (0, 0)], constant_values=BACKGROUND)
    whole = model.coarse_map(around[None])[0].numpy()
    assert slabs.shape == (160, 8, 12, 3)
    assert np.allclose(slabs, whole, atol=1e-5)

    network = build_coarse_generator(2, 4, 4)
    x = tf.Variable(tf.random.stateless_normal((1, 160, 4, 4, 2), (0, 0)))
    with tf.GradientTape() as tape:
        voxel = network(x)[0, 83, 2, 2, 1]
    seen = np.flatnonzero(np.any(tape.gradient(voxel, x).numpy()[0] != 0, axis=(1, 2, 3)))
    assert seen.min() >= 83 - COARSE_HALO and seen.max() <= 83 + COARSE_HALO


def test_a_model_on_an_odd_scan(tiny_cohort, tiny_config):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    raw = raw_image(tiny_cohort, "4")
    result = Segmenter(model, with_p_real=True, tile=32)(raw)
    assert result.labels.shape == result.p_real.shape == raw.shape[:3] and result.labels.dtype == np.uint8
    assert result.probabilities.sum(axis=-1) == pytest.approx(np.ones(raw.shape[:3]), abs=1e-5)
    assert 0 <= result.p_real.min() < result.p_real.max() <= 1


def test_the_graph_of_all_equals_the_call(tiny_cohort, tiny_config):
    segmenter = Segmenter(build_model(("T1", "T2"), TISSUES, tiny_config), tile=32)
    raw = np.pad(raw_image(tiny_cohort, "4"), [(3, 9), (0, 4), (5, 0), (0, 0)])
    labels, probabilities, failed = tf.function(segmenter.segment, autograph=False)(raw)
    result = segmenter(raw)
    assert np.array_equal(labels, result.labels) and np.array_equal(probabilities, result.probabilities)
    assert bool(failed) == result.outline_failed


def test_tiles_of_thick_slices_are_as_long_in_mm():
    """3 mm slices of 1 mm voxels: tiles a third as thick in voxels, and the same maps of a pointwise model."""

    class Thick(PointwiseModel):
        config = Config(preparation=Preparation(spacing=(1.0, 1.0, 3.0)))

    model = Thick()
    segmenter = Segmenter(model, tile=64)
    assert segmenter.tiling == Tiling((96, 96, 32), (60, 60, 20))
    image = noise_image([(0, 130), (0, 110), (0, 50)], (130, 110, 50))
    result, cubes = segmenter(image), Segmenter(PointwiseModel(), tile=64)(image)
    assert model.refined_tiles == 2 * 2 * 2
    assert np.allclose(result.probabilities, cubes.probabilities, atol=1e-4)
