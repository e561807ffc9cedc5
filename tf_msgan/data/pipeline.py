"""Streams of patches from scans held in memory.

An element has, at a centre drawn or given,
    image: `(p, p, p, modality)` float32, background filled in;
    context: the same, twice as wide at half the resolution, for the coarse generator;
    labels: `(p, p, p)` uint8 classes, where the scans have them.
Every draw is a stateless function of (seed, number of the element in the stream), so that a stream repeats exactly,
and can start anywhere.
"""

import math

import numpy as np
import tensorflow as tf

from tf_msgan.data.augmentation import (
    BLOCK_FACTOR,
    change_intensities,
    halve,
    offsets,
    random_affine,
    sample_linear,
    sample_nearest,
    unmask,
)
from tf_msgan.data.cohort import Scan
from tf_msgan.data.labels import IGNORE
from tf_msgan.data.patches import grid_slices


def training_stream(labelled, unlabelled, patch, batch_size, foreground, augmentation, seed, first_element=0):
    """An endless dataset of `{"labelled": batch, "unlabelled": batch}`.

    Args:
        labelled: scans with labels; their patches are augmented.
        unlabelled: scans without.
        patch: voxels a side, even.
        batch_size: patches of each kind in a batch.
        foreground: share of the patches, 0..1, whose centre is a voxel of the brain; the others lie anywhere.
        augmentation: of the labelled patches.
        seed: any int.
        first_element: where in the stream to start, in patches.
    """
    streams = {
        "labelled": _stream(labelled, patch, foreground, augmentation, [seed, 0], first_element),
        "unlabelled": _stream(unlabelled, patch, foreground, None, [seed, 1], first_element),
    }
    return tf.data.Dataset.zip(streams).batch(batch_size, drop_remainder=True).prefetch(2)


def validation_stream(scans, patch, batch_size):
    """A finite dataset of batches that cover every voxel of `scans` once.

    Patches at a far border reach beyond it, where labels are `IGNORE`.
    """
    reader = _BlockReader(scans, patch)
    centres = [
        (number, *(s.start + patch // 2 for s in where))
        for number, scan in enumerate(scans)
        for where in grid_slices([-(-n // patch) * patch for n in scan.brain.shape], (patch,) * 3, (patch,) * 3)
    ]
    tiles = tf.data.Dataset.from_tensor_slices(np.array(centres, np.int32))
    tiles = tiles.map(lambda tile: _cut(*reader(tile[0], tile[1:]), patch), num_parallel_calls=tf.data.AUTOTUNE)
    return tiles.batch(batch_size).prefetch(2)


def _stream(scans, patch, foreground, augmentation, key, first_element):
    reader = _BlockReader(scans, patch)
    root = tf.random.fold_in(tf.random.fold_in(tf.constant([0, 0], tf.int32), key[0]), key[1])

    def element(number):
        scan_seed, centre_seed, affine_seed, intensity_seed = tf.unstack(
            tf.random.split(tf.random.fold_in(root, tf.cast(number, tf.int32)), 4)
        )
        scan = tf.random.stateless_uniform([], scan_seed, 0, len(scans), tf.int32)
        block, labels = reader(scan, reader.draw_centre(scan, foreground, centre_seed))
        if augmentation is None:
            return _cut(block, labels, patch)
        cut = _cut_affine(block, labels, patch, random_affine(augmentation, affine_seed))
        cut["image"], cut["context"] = change_intensities(cut["image"], cut["context"], augmentation, intensity_seed)
        return cut

    numbers = tf.data.Dataset.counter(start=first_element)
    return numbers.map(element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


class _BlockReader:
    """Cuts blocks around a centre out of scans of any shapes; beyond a scan's border lies background."""

    def __init__(self, scans: list[Scan], patch: int):
        if patch % 2:
            raise ValueError(f"patch must be even; received {patch}")
        self.size = 4 * math.ceil(BLOCK_FACTOR * patch / 2)
        self.volumes = [tf.constant(scan.masked()) for scan in scans]
        self.labels = None if scans[0].labels is None else [tf.constant(scan.labels) for scan in scans]
        self.foregrounds = [tf.constant(np.argwhere(scan.brain).astype(np.int16)) for scan in scans]

    def draw_centre(self, scan, foreground, seed):
        """A random voxel `(3,)` of scan number `scan`."""
        seeds = tf.unstack(tf.random.split(seed, 3))

        def draw(number):
            brain = self.foregrounds[number]
            inside = brain[tf.random.stateless_uniform([], seeds[0], 0, len(brain), tf.int32)]
            share = tf.random.stateless_uniform([3], seeds[1])
            anywhere = tf.cast(share * tf.cast(self.volumes[number].shape[:3], tf.float32), tf.int32)
            return tf.where(tf.random.stateless_uniform([], seeds[2]) < foreground, tf.cast(inside, tf.int32), anywhere)

        return self._on_scan(scan, draw)

    def __call__(self, scan, centre):
        """Returns the block and its labels (None where scans have none) whose middle is `centre`."""
        start = centre - self.size // 2
        block = self._on_scan(scan, lambda n: self._crop(self.volumes[n], start, 0.0))
        if self.labels is None:
            return block, None
        return block, self._on_scan(scan, lambda n: self._crop(self.labels[n][..., None], start, IGNORE))[..., 0]

    def _on_scan(self, scan, function):
        return tf.switch_case(scan, [lambda n=n: function(n) for n in range(len(self.volumes))])

    def _crop(self, volume, start, fill):
        low = tf.maximum(start, 0)
        high = tf.minimum(start + self.size, volume.shape[:3])
        inside = tf.strided_slice(volume, tf.concat([low, [0]], 0), tf.concat([high, volume.shape[3:]], 0))
        padding = tf.concat([tf.stack([low - start, start + self.size - high], axis=1), [[0, 0]]], axis=0)
        block = tf.pad(inside, padding, constant_values=tf.cast(fill, volume.dtype))
        return tf.ensure_shape(block, (self.size,) * 3 + tuple(volume.shape[3:]))


def _cut(block, labels, patch):
    """Cuts patch and context from the middle of a block."""
    middle = (block.shape[0] - patch) // 2
    half = halve(block)
    half_middle = (half.shape[0] - patch) // 2
    inner = (slice(middle, middle + patch),) * 3
    half_inner = (slice(half_middle, half_middle + patch),) * 3
    cut = {"image": unmask(block[inner]), "context": unmask(half[half_inner])}
    if labels is not None:
        cut["labels"] = labels[inner]
    return cut


def _cut_affine(block, labels, patch, matrix):
    """Cuts patch and context from a block turned and scaled by `matrix`."""
    points = tf.matmul(offsets(patch), matrix, transpose_b=True)
    half = halve(block)
    at = points + (block.shape[0] - 1) / 2
    image = sample_linear(block, at)
    context = sample_linear(half, points + (half.shape[0] - 1) / 2)
    return {
        "image": unmask(tf.reshape(image, [patch] * 3 + [block.shape[-1]])),
        "context": unmask(tf.reshape(context, [patch] * 3 + [block.shape[-1]])),
        "labels": tf.reshape(sample_nearest(labels, at), [patch] * 3),
    }
