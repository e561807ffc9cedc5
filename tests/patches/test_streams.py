"""The streams of patches."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.patches.cropped_scan import crop_scan
from tf_msgan.patches.scan_source import hold_scans
from tf_msgan.patches.streams import Share, count_validation_batches, training_stream, validation_stream
from tf_msgan.preprocessing.reserved_values import BACKGROUND, IGNORE
from tf_msgan.preprocessing.scan import Scan

PATCH = 16


CUBE = (PATCH,) * 3


NONE = Augmentation(*[0.0] * len(dataclasses.fields(Augmentation)))


@pytest.fixture(scope="module")
def labelled(tiny_cohort):
    return [load_scan(tiny_cohort, subject_id, with_labels=True) for subject_id in ("1", "2")]


@pytest.fixture(scope="module")
def unlabelled(tiny_cohort):
    return [load_scan(tiny_cohort, subject_id, with_labels=False) for subject_id in ("6", "7")]


def take(labelled, unlabelled, batches, seed=0, first=0, foreground=1.0, augmentation=None):
    stream = training_stream(
        hold_scans(labelled),
        hold_scans(unlabelled),
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


@pytest.mark.integration
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


@pytest.mark.integration
def test_without_contexts_the_patches_are_the_same(labelled, unlabelled):
    def stream(contexts):
        held, others = hold_scans(labelled), hold_scans(unlabelled)
        return training_stream(held, others, CUBE, (4, 2), 0.5, Augmentation(), 0, contexts=contexts).take(3)

    for both, alone in zip(stream(True), stream(False), strict=True):
        assert set(alone["labelled"]) == {"image", "labels"} and set(alone["unlabelled"]) == {"image"}
        for kind, patches in alone.items():
            for name, values in patches.items():
                assert np.array_equal(values, both[kind][name])
    both, alone = (list(validation_stream(hold_scans(labelled), CUBE, 3, contexts=c)) for c in (True, False))
    assert all(np.array_equal(a["image"], b["image"]) for a, b in zip(both, alone, strict=True))


@pytest.mark.integration
def test_patches_that_are_not_turned_are_cut_as_turned_ones_are(labelled):
    """A map that hardly turns takes the slow way, and must give what the fast one does; but for a few voxels of the
    context whose mask is just a half."""
    plain = dataclasses.replace(NONE, mirror=0.5)
    hardly = dataclasses.replace(plain, warp_share=1.0, rotation_degrees=1e-5)
    fast, slow = (take(labelled, labelled, 3, augmentation=strength) for strength in (plain, hardly))
    for one, other in zip(fast, slow, strict=True):
        for name, least in (("image", 1.0), ("labels", 1.0), ("context", 0.99)):
            assert np.mean(np.isclose(one["labelled"][name], other["labelled"][name], atol=1e-3)) >= least


def test_no_stream_is_tuned_while_it_runs(labelled):
    """Letting a tuned iterator go may take as long as its tuner sleeps."""
    held = hold_scans(labelled)
    training = training_stream(held, held, CUBE, (2, 2), 0.5, NONE, seed=0)
    validation = validation_stream(held, CUBE, 3).repeat()
    assert [stream.options().autotune.enabled for stream in (training, validation)] == [False, False]


def test_labelled_and_unlabelled_draws_differ(labelled):
    batch = take(labelled, labelled, 1, augmentation=NONE)[0]
    assert not np.array_equal(batch["labelled"]["image"], batch["unlabelled"]["image"])


@pytest.mark.integration
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
    stream = training_stream(hold_scans([scan]), None, shape, (4, 0), 1.0, strength, 0, contexts=contexts)
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


def test_patches_of_thick_slices(labelled, unlabelled):
    shape = (24, 24, 8)
    thick = [dataclasses.replace(scan, spacing=(1.0, 1.0, 3.0)) for scan in labelled]
    stream = training_stream(
        hold_scans(thick), hold_scans(unlabelled), shape, (2, 2), 1.0, Augmentation(warp_share=1.0), seed=0
    )
    batch = next(iter(stream))
    for name in ("image", "context"):
        assert batch["labelled"][name].shape == batch["unlabelled"][name].shape == (2, *shape, 2)
    assert batch["labelled"]["labels"].shape == (2, *shape)
    counted = sum(int(np.sum(b["labels"] != IGNORE)) for b in validation_stream(hold_scans(thick), shape, 3))
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


def test_validation_covers_every_voxel_once(labelled):
    counted = {tissue: 0 for tissue in range(4)}
    for batch in validation_stream(hold_scans(labelled), CUBE, batch_size=3):
        for tissue in counted:
            counted[tissue] += int(np.sum(batch["labels"] == tissue))
    boxes = [crop_scan(scan).labels for scan in labelled]
    assert counted == {tissue: sum(int(np.sum(box == tissue)) for box in boxes) for tissue in range(4)}
    # No tissue is lost to the cropping.
    for tissue in (1, 2, 3):
        assert counted[tissue] == sum(int(np.sum(scan.labels == tissue)) for scan in labelled)


def test_beyond_the_border_labels_are_ignored(labelled):
    source = hold_scans(labelled[:1])
    assert all(PATCH < n < 2 * PATCH for n in source.shapes[0])
    last = list(validation_stream(source, CUBE, batch_size=1))[-1]
    assert np.sum(last["labels"] != IGNORE) == np.prod([n - PATCH for n in source.shapes[0]])


def test_odd_patch_is_refused(labelled):
    with pytest.raises(ValueError, match="even"):
        validation_stream(hold_scans(labelled), (16, 15, 16), 1)


def test_labelled_patches_alone(labelled):
    batch = next(iter(training_stream(hold_scans(labelled), None, CUBE, (2, 1), 1.0, NONE, seed=0)))
    assert set(batch) == {"labelled"}


@pytest.mark.integration
@pytest.mark.parametrize(("count", "replicas"), [(1, 2), (2, 1), (2, 2)])
def test_shares_are_the_stream_of_one(labelled, unlabelled, count, replicas):
    """Every batch of one process, put together from those of the devices in their order."""
    held, others = hold_scans(labelled), hold_scans(unlabelled)

    def stream(share):
        return iter(training_stream(held, others, CUBE, (8, 4), 1.0, NONE, 0, first_batch=1, share=share))

    whole, shares = stream(Share()), [stream(Share(index, count, replicas)) for index in range(count)]
    for _ in range(2):
        parts = [next(share) for share in shares for _ in range(replicas)]
        together = tf.nest.map_structure(lambda *p: np.concatenate(p), *parts)
        assert same(next(whole), together)


def test_shares_of_the_validation_are_equally_long_and_count_once(labelled):
    source = hold_scans(labelled)
    shares = [list(validation_stream(source, CUBE, 3, Share(index, 2, 2))) for index in range(2)]
    assert len(shares[0]) == len(shares[1]) == 2 * count_validation_batches(source, CUBE, 12)
    seen = np.concatenate([batch["labels"].numpy().ravel() for share in shares for batch in share])
    assert {n: int(np.sum(seen == n)) for n in range(4)} == {
        n: sum(int(np.sum(crop_scan(scan).labels == n)) for scan in labelled) for n in range(4)
    }
