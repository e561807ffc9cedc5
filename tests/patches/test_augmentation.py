"""How patches are changed."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.patches.augmentation import (
    change_intensities,
    halve,
    neighbours,
    offsets,
    random_affine,
    sample_labels,
    sample_linear,
    unmask,
)
from tf_msgan.preprocessing.reserved_values import BACKGROUND

NONE = Augmentation(*[0.0] * len(dataclasses.fields(Augmentation)))


def test_bias_field_is_the_exponential_of_its_polynomial():
    image = tf.ones([2, 6, 8, 10])
    strength = dataclasses.replace(NONE, bias=0.3)
    patch, context = (x.numpy() for x in change_intensities([image, image], strength, tf.constant([3, 4])))
    for changed, reach in ((patch, 1.0), (context, 2.0)):
        axes = [reach * (np.arange(n) - (n - 1) / 2) / n for n in image.shape[1:]]
        i, j, k = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
        monomials = np.stack([i, j, k, i * i, j * j, k * k, i * j, j * k, i * k], axis=1)
        for modality in changed:
            coefficients, *_ = np.linalg.lstsq(monomials, np.log(modality.ravel()), rcond=None)
            assert np.abs(coefficients).max() <= 0.3 and np.abs(coefficients).max() > 0.05
            assert np.exp(monomials @ coefficients) == pytest.approx(modality.ravel(), abs=1e-5)


def test_affine_draws_stay_within_their_strengths():
    strength = Augmentation(mirror=0.5, warp_share=0.5, rotation_degrees=10.0, scale=0.1)
    matrices = np.stack([random_affine(strength, tf.ones(3), tf.constant([0, n])).numpy() for n in range(200)])
    volumes = np.linalg.det(matrices)
    assert np.abs(volumes).min() >= 0.9**3 and np.abs(volumes).max() <= 1.1**3
    assert np.mean(volumes < 0) == pytest.approx(0.5, abs=0.12)
    plain = [np.allclose(np.abs(m), np.eye(3)) for m in matrices]
    assert np.mean(plain) == pytest.approx(0.5, abs=0.12)
    turned = np.degrees(np.arctan2(np.abs(matrices[:, 1, 0]), np.abs(matrices[:, 0, 0])))
    assert turned.max() < 21


def test_what_is_turned_is_the_brain_and_not_the_voxels():
    """In mm a draw is the same, whatever the voxels' shape."""
    strength, seed, spacing = Augmentation(warp_share=1.0), tf.constant([0, 7]), np.array([1.0, 0.8, 3.0])
    cubic = random_affine(strength, tf.ones(3), seed).numpy()
    thick = random_affine(strength, tf.constant(spacing, tf.float32), seed).numpy()
    assert np.diag(spacing) @ thick @ np.diag(1 / spacing) == pytest.approx(cubic, abs=1e-6)
    assert np.abs(thick - cubic).max() > 0.1


def test_sampling_matches_scipy():
    from scipy.ndimage import map_coordinates

    rng = np.random.default_rng(0)
    volume = rng.random((9, 11, 10, 2), np.float32)
    points = rng.uniform(-1, 11, (300, 3)).astype(np.float32)
    labels = rng.integers(0, 4, (9, 11, 10)).astype(np.uint8)
    around = neighbours(tf.constant(labels.shape), tf.constant(points))
    got = sample_linear(tf.constant(volume), around).numpy()
    inside = np.clip(points, 0, np.array(volume.shape[:3]) - 1)
    for channel in range(2):
        expected = map_coordinates(volume[..., channel], inside.T, order=1)
        assert got[:, channel] == pytest.approx(expected, abs=1e-5)
    got = sample_labels(tf.constant(labels), around).numpy()
    shares = [map_coordinates((labels == label).astype(np.float32), inside.T, order=1) for label in range(4)]
    assert np.array_equal(got, np.argmax(shares, axis=0))


def test_halving_ignores_what_is_outside_the_brain():
    masked = np.zeros((2, 2, 4, 2), np.float32)
    masked[0, :, :2] = [3.0, 1.0]
    half = unmask(halve(tf.constant(masked))).numpy()
    assert half.shape == (1, 1, 2, 1)
    assert half.ravel().tolist() == [3.0, BACKGROUND]


def test_intensity_changes_are_nothing_at_strength_zero():
    image = tf.random.stateless_normal([8, 8, 8, 2], [1, 2])
    changed, _ = change_intensities([image, image], NONE, tf.constant([0, 0]))
    assert np.allclose(changed, image, atol=1e-5)


def intensity_draws(image, context, seeds=200, **strengths):
    """What changes of such strengths make of a patch and its context, `(seed, modality, i, j, k)` each."""
    strength = dataclasses.replace(NONE, **strengths)
    pairs = [change_intensities([image, context], strength, tf.constant([0, n])) for n in range(seeds)]
    return [np.stack([pair[side].numpy() for pair in pairs]) for side in (0, 1)]


@pytest.mark.integration
def test_contrast_and_brightness_by_hand():
    ramp = tf.constant(np.broadcast_to(np.linspace(-1, 1, 4), (2, 4, 4, 4)).astype(np.float32))
    for change, draw in (("contrast", lambda of: of / ramp.numpy() - 1), ("brightness", lambda of: of - ramp.numpy())):
        patch, context = (draw(of) for of in intensity_draws(ramp, ramp, **{change: 0.3}))
        # One draw for all of a modality, and for the context.
        drawn = patch[:, :, 0, 0, 0]
        assert patch == pytest.approx(np.broadcast_to(drawn[..., None, None, None], patch.shape), abs=1e-4)
        assert context == pytest.approx(patch, abs=1e-4)
        # Uniform in ±0.3, each modality by itself.
        assert np.abs(drawn).max() <= 0.3001 and drawn.std() == pytest.approx(0.3 / 3**0.5, abs=0.02)
        assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.2


def test_gamma_bends_the_range_by_its_own_exponent():
    ramp = tf.constant(np.broadcast_to(np.linspace(-3, 3, 5), (2, 5, 5, 5)).astype(np.float32))
    patch, _ = intensity_draws(ramp, ramp, gamma=0.4)
    # From the middle voxel, at half of the range.
    exponents = np.log((patch[:, :, 0, 0, 2] + 4) / 8) / np.log(0.5)
    assert np.abs(np.log(exponents)).max() <= 0.4001
    assert np.log(exponents).std() == pytest.approx(0.4 / 3**0.5, abs=0.03)
    expected = 8 * ((ramp[0, 0, 0] + 4) / 8) ** exponents[..., None] - 4
    assert patch[:, :, 1, 3] == pytest.approx(expected.numpy(), abs=1e-3)


def test_noise_of_a_context_is_that_of_a_mean_of_eight_voxels():
    flat = tf.zeros((2, 12, 12, 12))
    patch, context = intensity_draws(flat, flat, seeds=100, noise=0.5)
    deviations = patch.std(axis=(2, 3, 4))
    assert deviations.max() <= 0.55 and deviations.min() < 0.05 and deviations.mean() == pytest.approx(0.25, abs=0.04)
    assert context.std(axis=(2, 3, 4)) == pytest.approx(deviations / 8**0.5, rel=0.15, abs=1e-3)
    assert abs(np.corrcoef(patch.ravel(), context.ravel())[0, 1]) < 0.05


def test_offsets_are_centred():
    assert offsets((4, 4, 6)).numpy().mean(axis=0) == pytest.approx([0, 0, 0])
    assert offsets((4, 4, 6)).numpy()[0].tolist() == [-1.5, -1.5, -2.5]
