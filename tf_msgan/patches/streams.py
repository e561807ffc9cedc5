"""Streams of patches, cut from the scans of a source (`tf_msgan.patches.scan_source`).

An element has, at a centre drawn or given, for a patch of `(i, j, k)` even numbers of voxels,
    image: `(i, j, k, modality)` float32, background filled in;
    context: the same, twice as wide at half the resolution, for the coarse generator;
    labels: `(i, j, k)` uint8 classes, where the scans have them.
A stream without contexts has the same patches.
Every draw is a stateless function of (seed, number of the element in the stream), so that a stream repeats exactly,
and can start anywhere.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.io.volumes import Shape
from tf_msgan.patches.augmentation import (
    change_intensities,
    drop_modalities,
    halve,
    neighbours,
    offsets,
    random_affine,
    sample_labels,
    sample_linear,
    unmask,
)
from tf_msgan.patches.cropped_scan import CroppedScan
from tf_msgan.patches.patch_grid import grid_slices
from tf_msgan.patches.scan_source import ScanSource
from tf_msgan.preprocessing.reserved_values import IGNORE


@dataclass(frozen=True)
class Share:
    """Which part of a stream one process takes: number `index` of `count` equal parts of every batch, itself split over
    `replicas` devices, which take its elements in turn."""

    index: int = 0
    count: int = 1
    replicas: int = 1


WHOLE = Share()

# A patch, with its context and its labels if there are any, by name.
Elements = dict[str, tf.Tensor]
# Images, the patch's and maybe its context's, with labels if there are any.
Cut = tuple[list[tf.Tensor], tf.Tensor | None]

# As many calls at once as there are cores, untuned: TensorFlow's tuner sleeps ever longer between its looks, and an
# iterator that is let go may wait until it wakes, at the end of every epoch for up to 41 s.
OPTIONS = tf.data.Options()
OPTIONS.autotune.enabled = False


def training_stream(
    labelled: ScanSource,
    unlabelled: ScanSource | None,
    patch: Shape,
    batch_sizes: tuple[int, int],
    foreground: float,
    augmentation: Augmentation,
    seed: int,
    first_batch: int = 0,
    share: Share = WHOLE,
    contexts: bool = True,
) -> tf.data.Dataset:
    """Returns an endless dataset of `{"labelled": batch, "unlabelled": batch}`, or of the former alone.

    Args:
        labelled: source of scans with labels; their patches are augmented.
        unlabelled: source of scans without, if any are wanted.
        patch: voxels along i, j, k.
        batch_sizes: labelled and unlabelled patches in a batch, over all shares; each divides by their replicas.
        foreground: share of the patches, 0..1, whose centre is a scan's foreground; others lie anywhere in its box.
        augmentation: of the labelled patches; modalities are dropped from all.
        seed: any int.
        first_batch: where in the stream to start.
        share: of each batch, and of how many devices; all shares together are the stream of one.
        contexts: whether patches come with theirs.
    """

    def batches(number: int, source: ScanSource, batch_size: int, changed: bool) -> tf.data.Dataset:
        numbers = _element_numbers(batch_size, first_batch, share)
        elements = _stream(
            numbers,
            source,
            patch=patch,
            foreground=foreground,
            augmentation=augmentation,
            changed=changed,
            key=(seed, number),
            contexts=contexts,
        )
        return elements.batch(batch_size // (share.count * share.replicas), drop_remainder=True)

    streams = {"labelled": batches(0, labelled, batch_sizes[0], changed=True)}
    if unlabelled:
        streams["unlabelled"] = batches(1, unlabelled, batch_sizes[1], changed=False)
    return tf.data.Dataset.zip(streams).prefetch(2).with_options(OPTIONS)


def validation_stream(
    source: ScanSource, patch: Shape, batch_size: int, share: Share = WHOLE, contexts: bool = True
) -> tf.data.Dataset:
    """Returns a finite dataset of batches that cover every voxel of the source's boxes once.

    Patches at a far border reach beyond it, where labels are `IGNORE`. Shares have equally many batches: what is
    missing to that is filled up with patches that are ignored.
    """
    read = _BlockReader(source, patch, 2.0 if contexts else 1.0)
    centres = _tile_centres(source, patch)
    if share.count * share.replicas > 1:
        filler = -len(centres) % (batch_size * share.count * share.replicas)
        centres += [(*centres[0][:4], 0)] * filler

    def tile(row: tf.Tensor) -> Elements:
        block, labels = read(source(row[0]), row[1:4])
        images, labels = _cut(block, labels, patch, contexts)
        return {**_named(map(unmask, images)), "labels": tf.where(row[4] == 1, labels, IGNORE)}

    tiles = tf.data.Dataset.from_tensor_slices(np.array(centres, np.int32)[share.index :: share.count])
    tiles = tiles.map(tile, num_parallel_calls=tf.data.AUTOTUNE)
    return tiles.batch(batch_size).prefetch(2).with_options(OPTIONS)


def count_validation_batches(source: ScanSource, patch: Shape, batch_size: int) -> int:
    """Counts how many batches of `validation_stream` cover all, of `batch_size` patches over all shares and
    devices."""
    return -(-len(_tile_centres(source, patch)) // batch_size)


def _tile_centres(source: ScanSource, patch: Shape) -> list[tuple[int, ...]]:
    """Rows of (scan, i, j, k, 1): the centres of tiles side by side."""
    return [
        (number, *(s.start + p // 2 for s, p in zip(where, patch, strict=True)), 1)
        for number, shape in enumerate(source.shapes)
        for where in grid_slices(_whole_patches(shape, patch), patch, patch)
    ]


def _whole_patches(shape: Shape, patch: Shape) -> Shape:
    """The sides of the smallest volume of whole patches that holds one of `shape`."""
    i, j, k = (-(-n // p) * p for n, p in zip(shape, patch, strict=True))
    return i, j, k


def middle_patch(source: ScanSource, number: int, patch: Shape) -> Elements:
    """Returns the patch and its context in the middle of a scan's box, without labels; a batch of one."""
    read = _BlockReader(source, patch, 2.0)
    block, labels = read(source(tf.constant(number)), tf.constant([n // 2 for n in source.shapes[number]]))
    images, _ = _cut(block, labels, patch, contexts=True)
    return _named(unmask(image)[None] for image in images)


def _element_numbers(batch_size: int, first_batch: int, share: Share) -> tf.data.Dataset:
    """The numbers of a share's elements: its part of batch after batch."""
    part = batch_size // share.count
    counter = tf.data.Dataset.counter(start=0)
    return counter.map(lambda n: (first_batch + n // part) * batch_size + share.index * part + n % part)


def _stream(
    numbers: tf.data.Dataset,
    source: ScanSource,
    patch: Shape,
    foreground: float,
    augmentation: Augmentation,
    changed: bool,
    key: tuple[int, int],
    contexts: bool,
) -> tf.data.Dataset:
    read = _BlockReader(source, patch, 2.0 if contexts else 1.0)
    root = tf.random.fold_in(tf.random.fold_in(tf.constant([0, 0], tf.int32), key[0]), key[1])

    def cut_changed(scan: CroppedScan, centre: tf.Tensor, seed: tf.Tensor) -> Cut:
        matrix = random_affine(augmentation, scan.spacing, seed)

        def cut_mirrored() -> Cut:
            block, labels = read(scan, centre)
            return _mirror(_cut(block, labels, patch, contexts), matrix[0, 0] < 0)

        def cut_turned() -> Cut:
            block, labels = read(scan, centre, matrix)
            return _cut_turned(block, labels, patch, contexts, matrix)

        # What is mirrored at most takes a fraction of the time that turning does.
        return tf.cond(tf.reduce_all(tf.abs(matrix) == tf.eye(3)), cut_mirrored, cut_turned)

    def element(number: tf.Tensor) -> Elements:
        seed = tf.random.fold_in(root, tf.cast(number, tf.int32))
        scan_seed, centre_seed, affine_seed, intensity_seed = tf.unstack(tf.random.split(seed, 4))
        scan = source(tf.random.stateless_uniform([], scan_seed, 0, len(source.shapes), tf.int32))
        centre = draw_centre(scan, foreground, centre_seed)
        if changed:
            images, labels = cut_changed(scan, centre, affine_seed)
        else:
            block, labels = read(scan, centre)
            images, labels = _cut(block, labels, patch, contexts)
        images = [unmask(tf.transpose(image, [3, 0, 1, 2]), axis=0) for image in images]
        if changed:
            images = change_intensities(images, augmentation, intensity_seed)
        if augmentation.drop_modality:
            images = drop_modalities(images, augmentation.drop_modality, tf.random.fold_in(seed, 1))
        named = _named(tf.transpose(image, [1, 2, 3, 0]) for image in images)
        return named if labels is None else {**named, "labels": labels}

    return numbers.map(element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _named(images: Iterable[tf.Tensor]) -> Elements:
    """A patch, and its context if there is one."""
    return dict(zip(("image", "context"), images, strict=False))


def draw_centre(scan: CroppedScan, foreground: float, seed: tf.Tensor) -> tf.Tensor:
    """Draws a random voxel `(3,)` of a `CroppedScan`."""
    seeds = tf.unstack(tf.random.split(seed, 3))
    brain = scan.foreground
    inside = brain[tf.random.stateless_uniform([], seeds[0], 0, tf.shape(brain)[0], tf.int32)]
    share = tf.random.stateless_uniform([3], seeds[1])
    anywhere = tf.cast(share * tf.cast(tf.shape(scan.volume)[:3], tf.float32), tf.int32)
    return tf.where(tf.random.stateless_uniform([], seeds[2]) < foreground, tf.cast(inside, tf.int32), anywhere)


class _BlockReader:
    """Cuts blocks around a centre, `factor` times as wide as a patch or a little more, out of scans of any shapes;
    beyond a scan's box lies background."""

    def __init__(self, source: ScanSource, patch: Shape, factor: float) -> None:
        if any(p % 2 for p in patch):
            raise ValueError(f"patch must be even along every axis; received {patch}")
        self.source = source
        self._width = [factor * p for p in patch]
        # Multiples of 4, so that halving pairs the same voxels in every block.
        self._size = [4 * math.ceil(width / 4) for width in self._width]

    def __call__(
        self, scan: CroppedScan, centre: tf.Tensor, matrix: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns the block and its labels (None where scans have none) whose middle is `centre`; with a `matrix` of
        `random_affine` as large a block as what is turned by it reaches."""
        size, shape = (tf.constant(self._size), self._size) if matrix is None else (self._reach(matrix), [None] * 3)

        def crop(volume: tf.Tensor, channels: int, fill: float) -> tf.Tensor:
            return tf.ensure_shape(_crop(volume, channels, centre - size // 2, size, fill), (*shape, channels))

        block = crop(scan.volume, self.source.modalities + 1, 0.0)
        return block, None if scan.labels is None else crop(scan.labels[..., None], 1, IGNORE)[..., 0]

    def _reach(self, matrix: tf.Tensor) -> tf.Tensor:
        reach = tf.linalg.matvec(tf.abs(matrix), tf.constant(self._width, tf.float32))
        # Sampling takes a neighbour more, and of a context's voxels that is two.
        return 4 * tf.cast(tf.math.ceil((reach + 2) / 4), tf.int32)


def _crop(volume: tf.Tensor, channels: int, start: tf.Tensor, size: tf.Tensor, fill: float) -> tf.Tensor:
    """`size` voxels `(3,)` from `start` on, of which some may lie beyond the volume."""
    low = tf.maximum(start, 0)
    high = tf.minimum(start + size, tf.shape(volume)[:3])
    inside = tf.strided_slice(volume, tf.concat([low, [0]], 0), tf.concat([high, [channels]], 0))
    padding = tf.concat([tf.stack([low - start, start + size - high], axis=1), [[0, 0]]], axis=0)
    return tf.pad(inside, padding, constant_values=tf.cast(fill, volume.dtype))


def _cut(block: tf.Tensor, labels: tf.Tensor | None, patch: Shape, contexts: bool) -> Cut:
    """Cuts a patch, and its context if `contexts`, from the middle of a block, still masked. Returns a list of them,
    and the labels."""
    images = [_middle(image, patch) for image in _resolutions(block, contexts)]
    return images, None if labels is None else _middle(labels, patch)


def _middle(block: tf.Tensor, patch: Shape) -> tf.Tensor:
    starts = [(size - p) // 2 for size, p in zip(block.shape[:3], patch, strict=True)]
    return block[tuple(slice(start, start + p) for start, p in zip(starts, patch, strict=True))]


def _mirror(cut: Cut, mirrored: tf.Tensor) -> Cut:
    """What `_cut` gave, flipped along the first axis if `mirrored`."""
    return tf.nest.map_structure(lambda x: tf.cond(mirrored, lambda: tf.reverse(x, [0]), lambda: x), cut)


def _cut_turned(block: tf.Tensor, labels: tf.Tensor | None, patch: Shape, contexts: bool, matrix: tf.Tensor) -> Cut:
    """`_cut` from a block turned and scaled by `matrix`."""
    resolutions = _resolutions(block, contexts)
    # Of 2^-10 voxels, so that sums are exact, and a patch the same in a block of any size.
    points = tf.round(tf.matmul(offsets(patch), matrix, transpose_b=True) * 1024) / 1024
    shapes = [tf.shape(image)[:3] for image in resolutions]
    around = [neighbours(shape, points + tf.cast(shape - 1, tf.float32) / 2) for shape in shapes]
    images = [
        tf.reshape(sample_linear(image, near), [*patch, image.shape[3]])
        for image, near in zip(resolutions, around, strict=True)
    ]
    return images, tf.reshape(sample_labels(labels, around[0]), patch)


def _resolutions(block: tf.Tensor, contexts: bool) -> list[tf.Tensor]:
    """What a patch is cut from, and its context if `contexts`."""
    return [block, halve(block)] if contexts else [block]
