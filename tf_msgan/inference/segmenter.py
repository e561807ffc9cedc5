"""Segments whole scans, from raw intensities to labels, in one TensorFlow graph."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_msgan.inference.tiles import Tiling, loop, map_tiles
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.blocks import upsample
from tf_msgan.networks.fusion import brain
from tf_msgan.patches.augmentation import halve, unmask
from tf_msgan.preprocessing.mask import find_mask
from tf_msgan.preprocessing.normalisation import normalise
from tf_msgan.preprocessing.reserved_values import BACKGROUND

# Voxels of the tiles in a batch, at most, unless one tile has more.
VOXELS_AT_ONCE = 2 * 64**3

# A tile is refined if P(brain) reaches this anywhere in it.
GATE = 0.1
# Voxels at half resolution around what is to be refined that a tile is shown, if the scan has them.
MARGIN = 8
# An outline of less than this share of the voxels that are not 0 is taken for a failure of the coarse stage.
LEAST_BRAIN = 0.01

# Voxels at half resolution: of a slab that the coarse stage sees at once, and of what it is shown beyond, which is more
# than its networks see (tests/inference/test_segmenter.py).
COARSE_SLAB, COARSE_HALO = 64, 24


class BoxMaps(NamedTuple):
    """A scan's maps in the box of its tiles; beyond it lies background.

    Attributes:
        start: `(3,)` int32, the box's first voxel in the scan.
        maps: `(i, j, k, K)` float32 probabilities; with `p_real` and `outline` one channel more for each.
        outline_failed: as in `TissueMaps`.
    """

    start: tf.Tensor
    maps: tf.Tensor
    outline_failed: tf.Tensor


class Segmenter:
    """The segmentation of a trained model. Of one without stages every tile of the scan is drawn.

    Args:
        model: its moving averages are used.
        gated: whether stage 3 refines only the tiles that stage 1 finds brain in.
        mirrored: whether maps are averaged over the scan and its mirror image along the first axis.
        with_p_real: whether D's opinion is mapped too, if the model has a D.
        with_outline: whether the coarse stage's is, if it has one.
        tile: voxels a side if they are cubic, a multiple of 8 (`Preparation.block`); by default as in training: the
            networks see the ends of a patch, and draw otherwise in the middle of a larger one (docs/decisions.md).
    """

    def __init__(
        self,
        model: SegmentationModel,
        gated: bool = True,
        mirrored: bool = False,
        with_p_real: bool = False,
        with_outline: bool = False,
        tile: int | None = None,
    ):
        self.model = model
        self.tissues = model.tissues
        self.classes = len(model.tissues) + 1
        self.gated = gated and model.has_coarse_stage
        self.mirrored = mirrored
        self.with_p_real = with_p_real and model.has_discriminator
        self.with_outline = with_outline and model.has_coarse_stage
        self.preparation = model.config.preparation
        self.takes_missing_modality = model.config.augmentation.may_lack_modality
        self.tiling = Tiling.of(self.preparation.block(tile or model.config.training.patch, 8))
        scan = tf.TensorSpec((None, None, None, model.channels), tf.float32)
        self.segment_box = tf.function(self._segment_box, input_signature=[scan], autograph=False)

    def __call__(self, image: np.ndarray) -> TissueMaps:
        """Segments one scan `(i, j, k, modality)` of raw intensities on its `NetworkGrid`, 0 where nothing is; a
        modality that is 0 everywhere is missing.

        Labels are taken last: label ids are never averaged.
        """
        box = self.segment_box(image)
        maps = box.maps.numpy()
        where = tuple(slice(at, at + size) for at, size in zip(box.start.numpy(), maps.shape[:3], strict=True))

        def on_grid(values, outside):
            whole = np.full((*image.shape[:3], *values.shape[3:]), outside, values.dtype)
            whole[where] = values
            return whole

        probabilities = maps[..., : self.classes]
        return TissueMaps(
            on_grid(np.argmax(probabilities, axis=-1).astype(np.uint8), 0),
            on_grid(probabilities, np.eye(self.classes, dtype=np.float32)[0]),
            on_grid(maps[..., self.classes], 0) if self.with_p_real else None,
            on_grid(maps[..., -1], 0) if self.with_outline else None,
            bool(box.outline_failed),
        )

    def segment(self, image):
        """`__call__` as part of a graph: `(labels, probabilities, outline_failed)`."""
        box = self._segment_box(image)
        after = tf.shape(image)[:3] - box.start - tf.shape(box.maps)[:3]
        padding = tf.concat([tf.stack([box.start, after], axis=1), [[0, 0]]], axis=0)
        background = tf.pad(box.maps[..., :1], padding, constant_values=1.0)
        probabilities = tf.concat([background, tf.pad(box.maps[..., 1 : self.classes], padding)], axis=-1)
        return tf.cast(tf.argmax(probabilities, axis=-1), tf.uint8), probabilities, box.outline_failed

    def _segment_box(self, image):
        start, cropped = crop(image)
        masked = normalise(cropped, self.preparation)
        shape = tf.shape(masked)[:3]
        masked, _ = self.tiling.pad(masked)

        known = halve(masked[..., -1:])
        half = self.coarse_map(masked) if self.model.has_coarse_stage else known
        outlined = tf.reduce_sum(tf.cast(brain(half) > 0.5, tf.float32))
        found = outlined >= LEAST_BRAIN * tf.reduce_sum(known)
        # Without an outline the voxels that are not 0 are the best guess; a small one may be right, and guides still.
        half = tf.where(outlined > 0, half, known / half.shape[-1])
        # A tile of zeros holds nothing to refine.
        sought = tf.where(found, tf.minimum(brain(half), known), known) if self.gated else known
        first, size = self._lay_tiles(sought)
        masked, half, sought = (
            _cut(masked, 2 * first, 2 * size),
            _cut(half, first, size),
            _cut(sought, first, size),
        )
        gates = self.tiling.halved().largest(sought) >= GATE

        coarse = tf.squeeze(upsample(half[None], 2), 0)
        volume = tf.concat([unmask(masked), coarse], axis=-1)

        def finish(average, covered, first):
            slab = coarse[first : first + tf.shape(average)[0]]
            refined, rest = average[..., : self.classes], average[..., self.classes :]
            nothing = tf.one_hot(0, self.classes)
            kept = [brain(slab)] if self.with_outline else []
            return tf.concat([tf.where(covered, self.model.fuse(slab, refined), nothing), rest, *kept], axis=-1)

        channels = self.classes + self.with_p_real
        at_once = tiles_at_once(self.tiling.tile)
        maps = map_tiles(self._refine, channels, volume, gates, self.tiling, at_once, finish)
        within = tf.minimum(shape - 2 * first, 2 * size)
        return BoxMaps(start + 2 * first, _cut(maps, [0, 0, 0], within), tf.logical_not(found))

    def coarse_map(self, masked):
        """The coarse map at half resolution `(i/2, j/2, k/2, guides)` of `(i, j, k, modality + 1)`, image × mask and
        mask, whose sides are even. Slabs of it are made one after another, each shown `COARSE_HALO` voxels
        more."""
        half = unmask(halve(masked))
        size = tf.shape(half)[0]
        # In training background lies beyond a scan; a convolution's own padding, 0, would be the mean brain.
        half = pad_with_background(half, self.model.margin)

        def slab(n):
            first, last = n * COARSE_SLAB, tf.minimum((n + 1) * COARSE_SLAB, size)
            low, high = tf.maximum(first - COARSE_HALO, 0), tf.minimum(last + COARSE_HALO, size)
            seen = half[low : high + 2 * self.model.margin[0]][None]
            coarse = self._both_ways(self.model.coarse_map, seen)[0]
            return coarse[first - low : last - low]

        return loop(-(-size // COARSE_SLAB), slab, (None, None, None, self.model.guides))

    def _lay_tiles(self, sought):
        """Where in a map at half resolution, whose sides are whole tiles, the tiles lie that hold all that reaches
        `GATE`, with `MARGIN` around it: first voxel and size, both `(3,)`, of as few whole tiles as do."""
        tiling, whole = self.tiling.halved(), tf.shape(sought)[:3]
        low, high = find_box(sought[..., 0] >= GATE)
        low, high = tf.maximum(low - MARGIN, 0), tf.minimum(high + MARGIN, whole)
        size = tiling.width(tiling.count(high - low))
        return tf.minimum(low, whole - size), size

    def _refine(self, tiles):
        def maps(x):
            image, coarse = x[..., : self.model.channels], x[..., self.model.channels :]
            refined = self.model.draw(image, coarse)
            if not self.with_p_real:
                return refined
            return tf.concat([refined, self.model.judge(image)[..., None]], axis=-1)

        return self._both_ways(maps, tiles)

    def _both_ways(self, network, x):
        if not self.mirrored:
            return network(x)
        return (network(x) + tf.reverse(network(tf.reverse(x, [1])), [1])) / 2


def pad_with_background(image, margin):
    """An image `(…, i, j, k, modality)` with so much background around i, j and k."""
    ends = [[n, n] for n in margin]
    return tf.pad(image, [*[[0, 0]] * (image.shape.rank - 4), *ends, [0, 0]], constant_values=BACKGROUND)


def tiles_at_once(tile: tuple[int, int, int]) -> int:
    """How many tiles are in a batch."""
    return max(VOXELS_AT_ONCE // math.prod(tile), 1)


def crop(image):
    """The smallest box of `(i, j, k, modality)` that holds the scan's mask: its first voxel, and the box. All of a scan
    of zeros."""
    first, end = find_box(find_mask(image))
    return first, _cut(image, first, end - first)


def find_box(mask):
    """The smallest box that holds all that is true in `(i, j, k)`, or all, if nothing is: its first voxel and the one
    after its last, both `(3,)`."""
    firsts, ends = [], []
    for axis in range(3):
        along = tf.reduce_any(mask, axis=[a for a in range(3) if a != axis])
        at = tf.cast(tf.where(along)[:, 0], tf.int32)
        at = tf.cond(tf.size(at) > 0, lambda at=at: at, lambda along=along: tf.range(tf.size(along)))
        firsts.append(at[0])
        ends.append(at[-1] + 1)
    return tf.stack(firsts), tf.stack(ends)


def _cut(volume, first, size):
    i, j, k = (slice(first[n], first[n] + size[n]) for n in range(3))
    return volume[i, j, k]
