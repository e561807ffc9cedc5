"""The streams of patches."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.datasets.load_scan import load_scan
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
from tf_msgan.patches.cropped_scan import crop_scan
from tf_msgan.patches.held_scans import HeldScans
from tf_msgan.patches.streams import Share, count_validation_batches, training_stream, validation_stream
from tf_msgan.preprocessing.reserved_values import BACKGROUND, IGNORE
from tf_msgan.preprocessing.scan import Scan

PATCH = 16
CUBE = (PATCH,) * 3
NONE = Augmentation(*[0.0] * len(dataclasses.fields(Augmentation)))


@pytest.fixture(scope="module")
def labelled(tiny_cohort):
    return [load_scan(tiny_cohort, id, with_labels=True) for id in ("1", "2")]


@pytest.fixture(scope="module")
def unlabelled(tiny_cohort):
    return [load_scan(tiny_cohort, id, with_labels=False) for id in ("6", "7")]


def take(labelled, unlabelled, batches, seed=0, first=0, foreground=1.0, augmentation=None):
    stream = training_stream(
        HeldScans(labelled),
        HeldScans(unlabelled),
        CUBE,
        (2, 2),
        foreground,
        augmentation or Augmentation(),
        seed,
        first_batch=first,
    )
    return [tf.nest.map_structure(lambda t: t.numpy(), batch) for batch in stream.take(batches)]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True))


def test_shapes_and_kinds(labelled, unlabelled):
    batch = take(labelled, unlabelled, 1)[0]
    assert batch["labelled"]["image"].shape == batch["labelled"]["context"].shape == (2, PATCH, PATCH, PATCH, 2)
    assert batch["labelled"]["labels"].shape == (2, PATCH, PATCH, PATCH)
    assert batch["labelled"]["labels"].dtype == np.uint8
    assert set(batch["unlabelled"]) == {"image", "context"}


def test_same_seed_same_patches_and_others_in_the_next_epoch(labelled, unlabelled):
    first, again = (take(labelled, unlabelled, 6, seed=7) for _ in range(2))
    assert same(first, again)
    epoch, next_epoch = first[:3], first[3:]
    assert not any(same(a, b) for a in epoch for b in next_epoch)
    assert not same(first[0], take(labelled, unlabelled, 1, seed=8)[0])


def test_stream_starts_anywhere(labelled, unlabelled):
    whole = take(labelled, unlabelled, 4)
    rest = take(labelled, unlabelled, 2, first=2)
    assert same(whole[2:], rest)


def test_without_contexts_the_patches_are_the_same(labelled, unlabelled):
    def stream(contexts):
        held, others = HeldScans(labelled), HeldScans(unlabelled)
        return training_stream(held, others, CUBE, (4, 2), 0.5, Augmentation(), 0, contexts=contexts).take(3)

    for both, alone in zip(stream(True), stream(False), strict=True):
        assert set(alone["labelled"]) == {"image", "labels"} and set(alone["unlabelled"]) == {"image"}
        for kind, patches in alone.items():
            for name, values in patches.items():
                assert np.array_equal(values, both[kind][name])
    both, alone = (list(validation_stream(HeldScans(labelled), CUBE, 3, contexts=c)) for c in (True, False))
    assert all(np.array_equal(a["image"], b["image"]) for a, b in zip(both, alone, strict=True))


def test_patches_that_are_not_turned_are_cut_as_turned_ones_are(labelled):
    """A map that hardly turns takes the slow way, and must give what the fast one does; but for a few voxels of the
    context whose mask is just a half."""
    plain = dataclasses.replace(NONE, mirror=0.5)
    hardly = dataclasses.replace(plain, warp_share=1.0, rotation_degrees=1e-5)
    fast, slow = (take(labelled, labelled, 3, augmentation=strength) for strength in (plain, hardly))
    for one, other in zip(fast, slow, strict=True):
        for name, least in (("image", 1.0), ("labels", 1.0), ("context", 0.99)):
            assert np.mean(np.isclose(one["labelled"][name], other["labelled"][name], atol=1e-3)) >= least


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


def test_no_stream_is_tuned_while_it_runs(labelled):
    """Letting a tuned iterator go may take as long as its tuner sleeps."""
    held = HeldScans(labelled)
    training = training_stream(held, held, CUBE, (2, 2), 0.5, NONE, seed=0)
    validation = validation_stream(held, CUBE, 3).repeat()
    assert [stream.options().autotune.enabled for stream in (training, validation)] == [False, False]


def test_labelled_and_unlabelled_draws_differ(labelled):
    batch = take(labelled, labelled, 1, augmentation=NONE)[0]
    assert not np.array_equal(batch["labelled"]["image"], batch["unlabelled"]["image"])


def test_foreground_share(labelled, unlabelled):
    def share_at_centre(foreground):
        batches = take(labelled, unlabelled, 40, foreground=foreground)
        centre = (slice(None), *[PATCH // 2] * 3, 0)
        return np.mean([batch["unlabelled"]["image"][centre] != BACKGROUND for batch in batches])

    assert share_at_centre(1.0) == 1.0
    brain = np.mean([crop_scan(scan).volume[..., -1].mean() for scan in unlabelled])
    assert share_at_centre(0.0) == pytest.approx(brain, abs=0.2)
    assert share_at_centre(0.0) < 0.8


def test_unlabelled_patches_are_cut_from_the_scans(labelled, unlabelled):
    scan = unlabelled[0]
    filled = np.where(scan.mask[..., None], scan.image, BACKGROUND)
    padded = np.pad(filled, [*[(PATCH, PATCH)] * 3, (0, 0)], constant_values=BACKGROUND)
    windows = np.lib.stride_tricks.sliding_window_view(padded[..., 0], (PATCH,) * 3)
    for batch in take(labelled, [scan], 2):
        for patch in batch["unlabelled"]["image"]:
            # A patch's first voxel and its mean find its place; then all of it must agree.
            places = np.argwhere(np.isclose(windows[..., 8, 8, 8], patch[8, 8, 8, 0], atol=1e-6))
            assert any(np.allclose(windows[tuple(place)], patch[..., 0], atol=1e-5) for place in places)


def test_context_shows_the_patch_at_half_resolution(labelled, unlabelled):
    for batch in take(labelled, unlabelled, 3):
        image, context = batch["unlabelled"]["image"], batch["unlabelled"]["context"]
        brain = (image != BACKGROUND).all(axis=-1)
        pairs = image.reshape(2, *[PATCH // 2, 2] * 3, 2).mean(axis=(2, 4, 6))
        inside = brain.reshape(2, *[PATCH // 2, 2] * 3).all(axis=(2, 4, 6))
        middle = context[:, 4:12, 4:12, 4:12]
        assert inside.any()
        assert np.allclose(middle[inside], pairs[inside], atol=1e-4)


def test_labels_follow_the_image_through_augmentation(labelled, unlabelled):
    """In the tiny brains tissue can be told from T1 alone, so a label that slipped would show."""
    only_geometry = dataclasses.replace(
        Augmentation(), warp_share=1.0, brightness=0.0, contrast=0.0, gamma=0.0, noise=0.0, bias=0.0
    )
    for batch in take(labelled, unlabelled, 4, augmentation=only_geometry):
        image, labels = batch["labelled"]["image"][..., 0], batch["labelled"]["labels"]
        means = [image[labels == tissue].mean() for tissue in (0, 1, 2, 3) if np.any(labels == tissue)]
        assert means == sorted(means)
        assert (image[labels == 3] > image[labels == 1].mean()).mean() > 0.98


@pytest.mark.parametrize("contexts", [True, False])
def test_turned_patches_show_all_that_they_reach(contexts):
    """A ramp stays one, however far the corners of what is turned reach."""
    size, shape = 96, (16, 8, 12)
    ramp = np.indices([size] * 3).sum(axis=0) * 0.01
    masked = np.stack([ramp, np.ones_like(ramp)], axis=-1).astype(np.float32)
    middle = np.zeros(ramp.shape, bool)
    middle[(size // 2,) * 3] = True
    scan = Scan("ramp", masked, np.ones(ramp.shape, np.uint8), middle, (1.0, 1.0, 1.0))
    strength = dataclasses.replace(NONE, warp_share=1.0, rotation_degrees=45.0, scale=0.25)
    plane = np.column_stack([np.indices(shape).reshape(3, -1).T, np.ones(np.prod(shape))])
    stream = training_stream(HeldScans([scan]), None, shape, (4, 0), 1.0, strength, 0, contexts=contexts)
    for batch in stream.take(5):
        for name in ("image", "context")[: 1 + contexts]:
            for patch in batch["labelled"][name].numpy():
                fit, *_ = np.linalg.lstsq(plane, patch.ravel(), rcond=None)
                assert np.abs(plane @ fit - patch.ravel()).max() < 1e-3


def test_augmentation_keeps_the_background(labelled, unlabelled):
    for batch in take(labelled, unlabelled, 4):
        image, labels = batch["labelled"]["image"], batch["labelled"]["labels"]
        assert np.mean(image[labels == 0] == BACKGROUND) > 0.9
        assert np.mean(image[labels == 2] == BACKGROUND) == 0
        assert np.isfinite(image).all() and np.isfinite(batch["labelled"]["context"]).all()


def test_no_augmentation_is_the_identity(labelled, unlabelled):
    batch = take(labelled, unlabelled, 1, augmentation=NONE)[0]["labelled"]
    filled = [np.where(scan.mask[..., None], scan.image, BACKGROUND) for scan in labelled]
    values = {value for image in filled for value in np.round(image.ravel(), 3)}
    assert np.mean([value in values for value in np.round(batch["image"].ravel(), 3)]) > 0.99


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


def test_patches_of_thick_slices(labelled, unlabelled):
    shape = (24, 24, 8)
    thick = [dataclasses.replace(scan, spacing=(1.0, 1.0, 3.0)) for scan in labelled]
    stream = training_stream(
        HeldScans(thick), HeldScans(unlabelled), shape, (2, 2), 1.0, Augmentation(warp_share=1.0), seed=0
    )
    batch = next(iter(stream))
    for name in ("image", "context"):
        assert batch["labelled"][name].shape == batch["unlabelled"][name].shape == (2, *shape, 2)
    assert batch["labelled"]["labels"].shape == (2, *shape)
    counted = sum(int(np.sum(b["labels"] != IGNORE)) for b in validation_stream(HeldScans(thick), shape, 3))
    assert counted == sum(crop_scan(scan).labels.size for scan in thick)


def test_a_modality_is_dropped_from_all_of_a_patch_and_one_stays(labelled, unlabelled):
    strength = dataclasses.replace(NONE, drop_modality=0.6)
    gone = []
    for batch in take(labelled, unlabelled, 40, augmentation=strength):
        for part in batch.values():
            for image, context in zip(part["image"], part["context"], strict=True):
                missing = [bool((image[..., m] == BACKGROUND).all()) for m in range(2)]
                assert missing == [bool((context[..., m] == BACKGROUND).all()) for m in range(2)]
                gone.append(missing)
    assert not any(all(missing) for missing in gone)
    # The one that does not stay is dropped with the chance of 0.6.
    assert np.mean([any(missing) for missing in gone]) == pytest.approx(0.6, abs=0.12)
    assert np.mean(gone, axis=0) == pytest.approx([0.3, 0.3], abs=0.1)


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


def test_validation_covers_every_voxel_once(labelled):
    counted = {tissue: 0 for tissue in range(4)}
    for batch in validation_stream(HeldScans(labelled), CUBE, batch_size=3):
        for tissue in counted:
            counted[tissue] += int(np.sum(batch["labels"] == tissue))
    boxes = [crop_scan(scan).labels for scan in labelled]
    assert counted == {tissue: sum(int(np.sum(box == tissue)) for box in boxes) for tissue in range(4)}
    # No tissue is lost to the cropping.
    for tissue in (1, 2, 3):
        assert counted[tissue] == sum(int(np.sum(scan.labels == tissue)) for scan in labelled)


def test_beyond_the_border_labels_are_ignored(labelled):
    source = HeldScans(labelled[:1])
    assert all(PATCH < n < 2 * PATCH for n in source.shapes[0])
    last = list(validation_stream(source, CUBE, batch_size=1))[-1]
    assert np.sum(last["labels"] != IGNORE) == np.prod([n - PATCH for n in source.shapes[0]])


def test_odd_patch_is_refused(labelled):
    with pytest.raises(ValueError, match="even"):
        validation_stream(HeldScans(labelled), (16, 15, 16), 1)


def test_cropping_keeps_the_brain_and_every_label():
    """A labelled voxel outside the brain, as ALBERT has, stays in the box."""
    brain = np.zeros((9, 8, 7), bool)
    brain[2:5, 3:6, 1:4] = True
    labels = np.where(brain, 2, 0).astype(np.uint8)
    labels[7, 4, 2] = 1
    masked = np.where(brain[..., None], [1.5, 1.0], 0).astype(np.float32)
    cropped = crop_scan(Scan("x", masked, labels, brain, (1.0, 1.0, 1.0)))
    assert cropped.volume.shape == (6, 3, 3, 2)
    assert cropped.labels.sum() == labels.sum()
    assert np.array_equal(cropped.volume[..., 1], brain[2:8, 3:6, 1:4])
    assert len(cropped.foreground) == brain.sum()
    assert cropped.volume[tuple(cropped.foreground.T)][:, 1].all()


def test_scans_of_any_shape_are_given_as_they_were_held():
    """And a graph that takes them is as large for many scans as for one."""
    random = np.random.default_rng(0)

    def scan(*shape):
        masked = random.normal(size=(*shape, 3)).astype(np.float32)
        labels = random.integers(0, 4, shape).astype(np.uint8)
        return Scan("x", masked, labels, random.random(shape) < 0.5, (1.0, 2.0, 3.0))

    scans = [scan(4 + number, 5, 6) for number in range(7)]
    graphs = []
    for held in (HeldScans(scans[:1]), HeldScans(iter(scans))):
        taken = tf.function(held).get_concrete_function(tf.TensorSpec([], tf.int32))
        graphs.append((len(taken.graph.get_operations()), len(taken.graph.captures)))
        for number in range(len(held.shapes)):
            expected = crop_scan(scans[number])
            assert all(np.array_equal(a, b) for a, b in zip(taken(number), expected, strict=True))
    assert graphs[0] == graphs[1]


def test_labelled_patches_alone(labelled):
    batch = next(iter(training_stream(HeldScans(labelled), None, CUBE, (2, 1), 1.0, NONE, seed=0)))
    assert set(batch) == {"labelled"}


@pytest.mark.parametrize(("count", "replicas"), [(1, 2), (2, 1), (2, 2)])
def test_shares_are_the_stream_of_one(labelled, unlabelled, count, replicas):
    """Every batch of one process, put together from those of the devices in their order."""
    held, others = HeldScans(labelled), HeldScans(unlabelled)

    def stream(share):
        return iter(training_stream(held, others, CUBE, (8, 4), 1.0, NONE, 0, first_batch=1, share=share))

    whole, shares = stream(Share()), [stream(Share(index, count, replicas)) for index in range(count)]
    for _ in range(2):
        parts = [next(share) for share in shares for _ in range(replicas)]
        together = tf.nest.map_structure(lambda *p: np.concatenate(p), *parts)
        assert same(next(whole), together)


def test_shares_of_the_validation_are_equally_long_and_count_once(labelled):
    source = HeldScans(labelled)
    shares = [list(validation_stream(source, CUBE, 3, Share(index, 2, 2))) for index in range(2)]
    assert len(shares[0]) == len(shares[1]) == 2 * count_validation_batches(source, CUBE, 12)
    seen = np.concatenate([batch["labels"].numpy().ravel() for share in shares for batch in share])
    assert {n: int(np.sum(seen == n)) for n in range(4)} == {
        n: sum(int(np.sum(crop_scan(scan).labels == n)) for scan in labelled) for n in range(4)
    }
