"""Segments whole scans, from raw intensities to labels, in one TensorFlow graph."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_msgan.config import Preparation
from tf_msgan.inference.tiles import Tiling, Triple, loop, map_tiles
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

# Voxels at half resolution along i of a slab that the coarse stage maps at once.
COARSE_SLAB = 64
# Voxels at half resolution that it is shown beyond a slab: more than its networks see, as its test checks.
COARSE_HALO = 24


class BrainMap(NamedTuple):
    """Where the brain is, at half resolution.

    Attributes:
        mask: `(i, j, k, 1)` float32, the share of voxels that are not 0, in 0..1.
        coarse: `(i, j, k, guides)` float32, the coarse map; without stages the mask.
        found: bool, whether enough of it is brain to choose by it the tiles that are refined.
    """

    mask: tf.Tensor
    coarse: tf.Tensor
    found: tf.Tensor


class LaidTiles(NamedTuple):
    """The box of whole tiles that a scan is refined in, and the scan in it.

    Attributes:
        first: `(3,)` int32, the box's first voxel at half resolution.
        size: `(3,)` int32, its voxels at half resolution.
        masked: `(i, j, k, modality + 1)` float32, image × mask and mask.
        coarse: `(i/2, j/2, k/2, guides)` float32, the coarse map.
        gates: bool, one a tile along i, j, k: whether it is refined.
    """

    first: tf.Tensor
    size: tf.Tensor
    masked: tf.Tensor
    coarse: tf.Tensor
    gates: tf.Tensor


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
    """Segments scans with a trained model. One without stages refines every tile that is not 0 all over.

    Args:
        model: its moving averages are used.
        gated: whether stage 3 refines only the tiles that stage 1 finds brain in.
        mirrored: whether maps are averaged over the scan and its mirror image along the first axis.
        with_p_real: whether P(real) by D is mapped too, if the model has a D.
        with_outline: whether P(brain) by the coarse stage is, if it has one.
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
        self.tissues: tuple[str, ...] = model.tissues
        self.classes = len(model.tissues) + 1
        self.gated = gated and model.has_coarse_stage
        self.mirrored = mirrored
        self.with_p_real = with_p_real and model.has_discriminator
        self.with_outline = with_outline and model.has_coarse_stage
        self.preparation: Preparation = model.config.preparation
        self.takes_missing_modality: bool = model.config.augmentation.may_lack_modality
        self.tiling = Tiling.of(self.preparation.block(tile or model.config.training.patch, multiple=8))
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

        def on_grid(values: np.ndarray, outside: float | np.ndarray) -> np.ndarray:
            """Puts values of the box into the scan's grid, and `outside` around them."""
            whole = np.full((*image.shape[:3], *values.shape[3:]), outside, values.dtype)
            whole[where] = values
            return whole

        probabilities = maps[..., : self.classes]
        return TissueMaps(
            labels=on_grid(np.argmax(probabilities, axis=-1).astype(np.uint8), outside=0),
            probabilities=on_grid(probabilities, outside=np.eye(self.classes, dtype=np.float32)[0]),
            p_real=on_grid(maps[..., self.classes], outside=0) if self.with_p_real else None,
            outline=on_grid(maps[..., -1], outside=0) if self.with_outline else None,
            outline_failed=bool(box.outline_failed),
        )

    def segment(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Segments one scan as `__call__` does, as part of a graph. Returns labels, probabilities, and whether the
        outline failed."""
        box = self._segment_box(image)
        after = tf.shape(image)[:3] - box.start - tf.shape(box.maps)[:3]
        padding = tf.concat([tf.stack([box.start, after], axis=1), [[0, 0]]], axis=0)
        background = tf.pad(box.maps[..., :1], padding, constant_values=1.0)
        probabilities = tf.concat([background, tf.pad(box.maps[..., 1 : self.classes], padding)], axis=-1)
        return tf.cast(tf.argmax(probabilities, axis=-1), tf.uint8), probabilities, box.outline_failed

    def _segment_box(self, image: tf.Tensor) -> BoxMaps:
        """Maps a raw image `(i, j, k, modality)` in the box of its tiles, in four steps."""
        start, shape, masked = self._prepare(image)
        brain_map = self._map_brain(masked)
        tiles = self._lay_tiles(masked, brain_map)
        maps = self._refine_tiles(tiles)
        # What was padded is left out.
        within = tf.minimum(shape - 2 * tiles.first, 2 * tiles.size)
        return BoxMaps(start + 2 * tiles.first, _cut(maps, [0, 0, 0], within), tf.logical_not(brain_map.found))

    def _prepare(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Crops a raw image to its mask, normalises it and pads it to whole tiles. Returns the crop's first voxel
        `(3,)` and shape `(3,)`, and the padded image × mask and mask `(i, j, k, modality + 1)`."""
        start, cropped = crop(image)
        masked = normalise(cropped, self.preparation)
        shape = tf.shape(masked)[:3]
        masked, _ = self.tiling.pad(masked)
        return start, shape, masked

    def _map_brain(self, masked: tf.Tensor) -> BrainMap:
        """Maps the brain at half resolution by stage 1; a model without stages takes the mask for it."""
        mask = halve(masked[..., -1:])
        coarse = self.coarse_map(masked) if self.model.has_coarse_stage else mask
        outlined = tf.reduce_sum(tf.cast(brain(coarse) > 0.5, tf.float32))
        found = outlined >= LEAST_BRAIN * tf.reduce_sum(mask)
        # Without an outline the voxels that are not 0 are the best guess; a small one may be right, and guides still.
        coarse = tf.where(outlined > 0, coarse, mask / coarse.shape[-1])
        return BrainMap(mask, coarse, found)

    def _lay_tiles(self, masked: tf.Tensor, brain_map: BrainMap) -> LaidTiles:
        """Lays as few tiles as hold all that is to be refined: the brain that was found, or else all that is not 0. The
        gates let those pass that have some of it."""
        mask, coarse, found = brain_map
        # A tile of zeros holds nothing to refine.
        sought = tf.where(found, tf.minimum(brain(coarse), mask), mask) if self.gated else mask
        first, size = self._box_of_tiles(sought)
        masked, coarse, sought = (
            _cut(masked, 2 * first, 2 * size),
            _cut(coarse, first, size),
            _cut(sought, first, size),
        )
        gates = self.tiling.halved().largest(sought) >= GATE
        return LaidTiles(first=first, size=size, masked=masked, coarse=coarse, gates=gates)

    def _refine_tiles(self, tiles: LaidTiles) -> tf.Tensor:
        """Refines the tiles that the gates let pass, averages them, and fuses them with the coarse map. Returns
        `BoxMaps.maps` of the whole box."""
        coarse = tf.squeeze(upsample(tiles.coarse[None], 2), 0)
        volume = tf.concat([unmask(tiles.masked), coarse], axis=-1)

        def fuse_slab(average: tf.Tensor, covered: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
            """Fuses a slab's average with the coarse map there; what no refined tile covers is background."""
            slab = coarse[first : first + tf.shape(average)[0]]
            refined, rest = average[..., : self.classes], average[..., self.classes :]
            nothing = tf.one_hot(0, self.classes)
            kept = [brain(slab)] if self.with_outline else []
            return tf.concat([tf.where(covered, self.model.fuse(slab, refined), nothing), rest, *kept], axis=-1)

        return map_tiles(
            self._refine_batch,
            channels=self.classes + self.with_p_real,
            volume=volume,
            gates=tiles.gates,
            tiling=self.tiling,
            at_once=tiles_at_once(self.tiling.tile),
            finish=fuse_slab,
        )

    def coarse_map(self, masked: tf.Tensor) -> tf.Tensor:
        """Returns the coarse map at half resolution `(i/2, j/2, k/2, guides)` of `(i, j, k, modality + 1)`, image ×
        mask and mask, whose sides are even. Slabs of it are made one after another, each shown `COARSE_HALO` voxels
        more."""
        half = unmask(halve(masked))
        size = tf.shape(half)[0]
        # In training background lies beyond a scan; a convolution's own padding, 0, would be the mean brain.
        half = pad_with_background(half, self.model.margin)

        def slab(n: tf.Tensor) -> tf.Tensor:
            first, last = n * COARSE_SLAB, tf.minimum((n + 1) * COARSE_SLAB, size)
            low, high = tf.maximum(first - COARSE_HALO, 0), tf.minimum(last + COARSE_HALO, size)
            seen = half[low : high + 2 * self.model.margin[0]][None]
            coarse = self._both_ways(self.model.coarse_map, seen)[0]
            return coarse[first - low : last - low]

        return loop(-(-size // COARSE_SLAB), slab, (None, None, None, self.model.guides))

    def _box_of_tiles(self, sought: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds the box of as few whole tiles as hold all that reaches `GATE` in a map at half resolution, whose sides
        are whole tiles, with `MARGIN` around it. Returns its first voxel and size, both `(3,)`."""
        tiling, whole = self.tiling.halved(), tf.shape(sought)[:3]
        low, high = find_box(sought[..., 0] >= GATE)
        low, high = tf.maximum(low - MARGIN, 0), tf.minimum(high + MARGIN, whole)
        size = tiling.width(tiling.count(high - low))
        return tf.minimum(low, whole - size), size

    def _refine_batch(self, tiles: tf.Tensor) -> tf.Tensor:
        """Takes image and coarse map `(tiles, *tile, modality + guides)` to probabilities, and with `with_p_real` to
        P(real) as one channel more."""

        def maps(x: tf.Tensor) -> tf.Tensor:
            image, coarse = x[..., : self.model.channels], x[..., self.model.channels :]
            refined = self.model.draw(image, coarse)
            if not self.with_p_real:
                return refined
            return tf.concat([refined, self.model.judge(image)[..., None]], axis=-1)

        return self._both_ways(maps, tiles)

    def _both_ways(self, network: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
        """Maps a batch; if `mirrored`, as the mean over it and its mirror image."""
        if not self.mirrored:
            return network(x)
        return (network(x) + tf.reverse(network(tf.reverse(x, [1])), [1])) / 2


def pad_with_background(image: tf.Tensor, margin: Sequence[int]) -> tf.Tensor:
    """Puts so many voxels of background around i, j and k of an image `(…, i, j, k, modality)`."""
    ends = [[n, n] for n in margin]
    return tf.pad(image, [*[[0, 0]] * (image.shape.rank - 4), *ends, [0, 0]], constant_values=BACKGROUND)


def tiles_at_once(tile: Triple) -> int:
    """Returns how many tiles are in a batch."""
    return max(VOXELS_AT_ONCE // math.prod(tile), 1)


def crop(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops `(i, j, k, modality)` to the smallest box that holds the scan's mask; a scan of zeros stays whole. Returns
    the box's first voxel `(3,)`, and the box."""
    first, end = find_box(find_mask(image))
    return first, _cut(image, first, end - first)


def find_box(mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the smallest box that holds all that is true in `(i, j, k)`, or all of it if nothing is. Returns its first
    voxel and the one after its last, both `(3,)`."""
    firsts, ends = [], []
    for axis in range(3):
        along = tf.reduce_any(mask, axis=[other for other in range(3) if other != axis])
        at = tf.cast(tf.where(along)[:, 0], tf.int32)
        at = tf.cond(tf.size(at) > 0, lambda at=at: at, lambda along=along: tf.range(tf.size(along)))
        firsts.append(at[0])
        ends.append(at[-1] + 1)
    return tf.stack(firsts), tf.stack(ends)


def _cut(volume: tf.Tensor, first: tf.Tensor | list[int], size: tf.Tensor) -> tf.Tensor:
    i, j, k = (slice(first[n], first[n] + size[n]) for n in range(3))
    return volume[i, j, k]
