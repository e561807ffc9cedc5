"""Passes over a volume in overlapping tiles, in a TensorFlow graph; sums are held for one slab of tiles at a time."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Tiling:
    """How tiles cover a volume: tile number n along an axis covers the voxels from n × stride to n × stride + tile.

    Attributes:
        tile: voxels of a tile along i, j, k.
        stride: voxels from one tile to the next, at least half a tile.
    """

    tile: tuple[int, int, int]
    stride: tuple[int, int, int]

    @classmethod
    def of(cls, tile: tuple[int, int, int]) -> "Tiling":
        """Tiles some 5/8 of their width apart, by even numbers of voxels; `tile` has multiples of 8."""
        return cls(tuple(tile), tuple(n * 5 // 16 * 2 for n in tile))

    def halved(self) -> "Tiling":
        """The same tiles on a grid of half the resolution."""
        return Tiling(tuple(n // 2 for n in self.tile), tuple(n // 2 for n in self.stride))

    @property
    def overlap(self) -> tuple[int, int, int]:
        return tuple(tile - stride for tile, stride in zip(self.tile, self.stride, strict=True))

    def count(self, shape):
        """How many tiles cover each axis of a volume of `shape` `(3,)`, an int32 tensor."""
        return tf.maximum(-(-(shape - tf.constant(self.tile)) // tf.constant(self.stride)), 0) + 1

    def width(self, count):
        """Voxels `(3,)` that `count` tiles `(3,)` cover."""
        return count * tf.constant(self.stride) + tf.constant(self.overlap)

    def pad(self, volume):
        """Pads the far ends of `(i, j, k, channel)` with 0 until tiles cover it exactly. Returns the volume, and how
        many tiles there are along each axis."""
        count = self.count(tf.shape(volume)[:3])
        extra = self.width(count) - tf.shape(volume)[:3]
        padding = tf.concat([tf.stack([tf.zeros_like(extra), extra], axis=1), [[0, 0]]], axis=0)
        # Keras takes a convolution over an unknown number of channels for one in groups, which is ten times slower.
        return tf.ensure_shape(tf.pad(volume, padding), (None, None, None, volume.shape[-1])), count

    def largest(self, volume):
        """The largest value `(i, j, k)` that each tile has in `(i, j, k, 1)`, a volume of whole tiles."""
        return tf.nn.max_pool3d(volume[None], [*self.tile], [*self.stride], "VALID")[0, ..., 0]


def gaussian_weights(tile: tuple[int, int, int]) -> np.ndarray:
    """Returns `(i, j, k, 1)` float32 weights in (0, 1]: a Gaussian of σ = tile / 8, at least 1e-3 of its peak.

    A voxel near a tile's border was seen with less around it, and counts less (as in nnU-Net).
    """
    i, j, k = (np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in tile)
    weights = i[:, None, None] * j[:, None] * k
    return np.maximum(weights / weights.max(), 1e-3).astype(np.float32)[..., None]


def map_tiles(network, channels: int, volume, gates, tiling: Tiling, at_once: int, finish):
    """Averages a network's maps over the tiles that `gates` lets pass, weighted by `gaussian_weights`.

    Tiles are gone through slab by slab along i and row by row along j, so that sums are held for one slab alone.

    Args:
        network: takes `(tiles, *tile, channel)` and gives float32 maps of as many voxels.
        channels: of the maps.
        volume: `(i, j, k, channel)`, of whole tiles.
        gates: `(i, j, k)` bool, one a tile.
        tiling: where the tiles lie.
        at_once: most tiles in a batch.
        finish: takes `average`, `(slab of i, j, k, channel)`; `covered`, `(slab of i, j, k, 1)` bool, whether any tile
            did; and the slab's first voxel along i. Gives what is kept of the slab, float32 `(slab of i, j, k, …)`. The
            average is 0 where nothing covers.

    Returns:
        What `finish` gave, slab on slab: `(i, j, k, …)`.
    """
    tile, stride = tiling.tile, tiling.stride
    weights = np.repeat(gaussian_weights(tile), channels + 1, axis=-1)
    count = tf.shape(gates)
    height, width = tf.unstack(tf.shape(volume)[1:3])
    cut_spec = tf.TensorSpec([*tile, volume.shape[-1]], volume.dtype)

    def layer(i):
        """Weighted maps and weights `(tile of i, j, k, channel + 1)` of the tiles number `i` along the first axis."""
        slab = volume[i * stride[0] : i * stride[0] + tile[0]]

        def row(j):
            """Those of the tiles number `j` along the second axis, `(tile of j, tile of i, k, channel + 1)`."""
            strip = slab[:, j * stride[1] : j * stride[1] + tile[1]]
            passed = tf.cast(tf.where(gates[i, j]), tf.int32)

            def batch(n):
                starts = passed[n * at_once : (n + 1) * at_once, 0] * stride[2]
                cut = tf.map_fn(lambda k: strip[:, :, k : k + tile[2]], starts, fn_output_signature=cut_spec)
                maps = network(cut)
                return tf.concat([maps, tf.ones_like(maps[..., :1])], axis=-1) * weights

            maps = loop(-(-tf.shape(passed)[0] // at_once), batch, (None, *tile, channels + 1))
            of_all = tf.scatter_nd(passed, maps, [count[2], *tile, channels + 1])
            return _add_up(tf.transpose(of_all, [2, 1, 0, 3, 4]), stride[2])

        along_j = _overlap(count[1], row, tile[1], stride[1], [tile[0], width, channels + 1])
        return tf.transpose(along_j, [1, 0, 2, 3])

    def finish_slab(total, number):
        weight = total[..., -1:]
        return finish(tf.math.divide_no_nan(total[..., :-1], weight), weight > 0, number * stride[0])

    return _overlap(count[0], layer, tile[0], stride[0], [height, width, channels + 1], finish_slab)


def _add_up(tiles, stride):
    """Adds tiles `(j, i, count, k, channel)` up along k: `(j, i, whole k, channel)`."""
    j, i, _, tile, channels = tiles.shape
    heads, tails = tiles[..., :stride, :], tiles[..., stride:, :]
    overlap = tile - stride
    tails = tf.pad(tails, [*[[0, 0]] * 3, [0, stride - overlap], [0, 0]])
    heads, tails = (tf.reshape(part, [j, i, -1, channels]) for part in (heads, tails))
    ends = [[0, 0], [0, 0]]
    heads = tf.pad(heads, [*ends, [0, overlap], [0, 0]])
    # What is cut off was padded.
    return heads + tf.pad(tails, [*ends, [stride, 0], [0, 0]])[:, :, : tf.shape(heads)[2]]


def _overlap(count, make, tile, stride, section, finish=lambda total, number: total):
    """Adds up `make(0)`, …, `make(count - 1)`, each `(tile, *section)` and made one after another, that lie `stride`
    apart. `finish` is given each stride of the sum, and then what is left of the last, with its number."""
    known = [n if isinstance(n, int) else None for n in section]
    overlap = tile - stride

    def step(n, before, parts):
        made = make(n)
        total = tf.concat([made[:overlap] + before, made[overlap:stride]], axis=0)
        return n + 1, tf.ensure_shape(made[stride:], [overlap, *known]), parts.write(n, finish(total, n))

    parts = tf.TensorArray(tf.float32, count + 1, infer_shape=False)
    nothing = tf.ensure_shape(tf.zeros([overlap, *section]), [overlap, *known])
    _, last, parts = tf.while_loop(lambda n, *_: n < count, step, (0, nothing, parts), parallel_iterations=1)
    return parts.write(count, finish(last, count)).concat()


def loop(count, make, shape):
    """`make(0)`, …, `make(count - 1)`, each of `shape`, one after another along their first axis."""
    parts = tf.TensorArray(tf.float32, count, element_shape=shape, infer_shape=False)

    def step(n, parts):
        return n + 1, parts.write(n, make(n))

    return tf.while_loop(lambda n, _: n < count, step, (0, parts), parallel_iterations=1)[1].concat()
