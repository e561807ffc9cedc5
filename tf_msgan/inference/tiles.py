"""Passes over a volume in overlapping tiles, in a TensorFlow graph; sums are held for one slab of tiles at a time.

Three tiles of 16 voxels along an axis, 10 voxels apart, two characters a voxel:

    voxel   0                   10          16      20          26      30          36
            |------------ tile 0 -----------|
                                |------------ tile 1 -----------|
                                                    |------------ tile 2 -----------|
            |------ stride -----|- overlap -|       |- overlap -|
            |====== slab 0 =====|====== slab 1 =====|====== slab 2 =====|== slab 3 =|

No tile after number n reaches slab n, so that its sum is complete with tile n. What tile n holds beyond it, the overlap
with tile n + 1, is carried over; that of the last tile is the last slab.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Tiling:
    """How tiles cover a volume: tile number n along an axis covers the voxels from n × stride to n × stride + tile.

    Attributes:
        tile: voxels of a tile along i, j, k.
        stride: voxels from one tile to the next, at least half a tile.
    """

    tile: Triple
    stride: Triple

    @classmethod
    def of(cls, tile: Triple) -> "Tiling":
        """Returns tiles some 5/8 of their width apart, by even numbers of voxels; `tile` has multiples of 8."""
        return cls(tile, _triple(n * 5 // 16 * 2 for n in tile))

    def halved(self) -> "Tiling":
        """Returns the same tiles on a grid of half the resolution."""
        return Tiling(_triple(n // 2 for n in self.tile), _triple(n // 2 for n in self.stride))

    @property
    def overlap(self) -> Triple:
        """Voxels that a tile shares with the next."""
        return _triple(tile - stride for tile, stride in zip(self.tile, self.stride, strict=True))

    def count(self, shape: tf.Tensor) -> tf.Tensor:
        """Returns how many tiles `(3,)` cover each axis of a volume of `shape` `(3,)`, both int32."""
        return tf.maximum(-(-(shape - tf.constant(self.tile)) // tf.constant(self.stride)), 0) + 1

    def width(self, count: tf.Tensor) -> tf.Tensor:
        """Returns how many voxels `(3,)` `count` tiles `(3,)` cover."""
        return count * tf.constant(self.stride) + tf.constant(self.overlap)

    def pad(self, volume: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pads the far ends of `(i, j, k, channel)` with 0 until tiles cover it exactly. Returns the volume, and how
        many tiles there are along each axis."""
        count = self.count(tf.shape(volume)[:3])
        extra = self.width(count) - tf.shape(volume)[:3]
        padding = tf.concat([tf.stack([tf.zeros_like(extra), extra], axis=1), [[0, 0]]], axis=0)
        # Keras takes a convolution over an unknown number of channels for one in groups, which is ten times slower.
        return tf.ensure_shape(tf.pad(volume, padding), (None, None, None, volume.shape[-1])), count

    def largest(self, volume: tf.Tensor) -> tf.Tensor:
        """Returns the largest value `(i, j, k)` that each tile has in `(i, j, k, 1)`, a volume of whole tiles."""
        return tf.nn.max_pool3d(volume[None], [*self.tile], [*self.stride], "VALID")[0, ..., 0]


def _triple(values: Iterable[int]) -> Triple:
    i, j, k = values
    return i, j, k


def gaussian_weights(tile: Triple) -> np.ndarray:
    """Returns `(i, j, k, 1)` float32 weights in (0, 1]: a Gaussian of σ = tile / 8, at least 1e-3 of its peak.

    A voxel near a tile's border was seen with less around it, and counts less (as in nnU-Net).
    """
    i, j, k = (np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in tile)
    weights = i[:, None, None] * j[:, None] * k
    return np.maximum(weights / weights.max(), 1e-3).astype(np.float32)[..., None]


def map_tiles(
    network: Callable[[tf.Tensor], tf.Tensor],
    channels: int,
    volume: tf.Tensor,
    gates: tf.Tensor,
    tiling: Tiling,
    at_once: int | tf.Tensor,
    finish: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
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

    def layer(i: tf.Tensor) -> tf.Tensor:
        """Sums weighted maps and weights `(tile of i, j, k, channel + 1)` of the tiles number `i` along the first
        axis."""
        slab = volume[i * stride[0] : i * stride[0] + tile[0]]

        def row(j: tf.Tensor) -> tf.Tensor:
            """Sums those of the tiles number `j` along the second axis, `(tile of j, tile of i, k, channel + 1)`."""
            strip = slab[:, j * stride[1] : j * stride[1] + tile[1]]
            passed = tf.cast(tf.where(gates[i, j]), tf.int32)

            def batch(n: tf.Tensor) -> tf.Tensor:
                """Weighs the maps of batch number `n` of the row's tiles, `(tiles, *tile, channel + 1)`."""
                starts = passed[n * at_once : (n + 1) * at_once, 0] * stride[2]
                cut = tf.map_fn(lambda k: strip[:, :, k : k + tile[2]], starts, fn_output_signature=cut_spec)
                maps = network(cut)
                return tf.concat([maps, tf.ones_like(maps[..., :1])], axis=-1) * weights

            maps = loop(-(-tf.shape(passed)[0] // at_once), batch, (None, *tile, channels + 1))
            of_all = tf.scatter_nd(passed, maps, [count[2], *tile, channels + 1])
            return _add_up(tf.transpose(of_all, [2, 1, 0, 3, 4]), stride[2])

        section = [tile[0], width, channels + 1]
        along_j = _overlap(count[1], make=row, tile=tile[1], stride=stride[1], section=section)
        return tf.transpose(along_j, [1, 0, 2, 3])

    def finish_slab(total: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Divides the sums of slab `number` by their weights, and finishes it."""
        weight = total[..., -1:]
        return finish(tf.math.divide_no_nan(total[..., :-1], weight), weight > 0, number * stride[0])

    section = [height, width, channels + 1]
    return _overlap(count[0], make=layer, tile=tile[0], stride=stride[0], section=section, finish=finish_slab)


def _add_up(tiles: tf.Tensor, stride: int) -> tf.Tensor:
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


def _overlap(
    count: tf.Tensor,
    make: Callable[[tf.Tensor], tf.Tensor],
    tile: int,
    stride: int,
    section: Sequence[int | tf.Tensor],
    finish: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = lambda slab, number: slab,
) -> tf.Tensor:
    """Adds up `make(0)`, …, `make(count - 1)`, each `(tile, *section)` and made one after another, that lie `stride`
    apart. Returns what `finish` makes of each slab of the sum, given its number, slab on slab."""
    known = [n if isinstance(n, int) else None for n in section]
    overlap = tile - stride

    def step(n: tf.Tensor, before: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        """Adds tile `n` to the overlap `before` it, and writes slab `n`."""
        made = make(n)
        total = tf.concat([made[:overlap] + before, made[overlap:stride]], axis=0)
        return n + 1, tf.ensure_shape(made[stride:], [overlap, *known]), parts.write(n, finish(total, n))

    parts = tf.TensorArray(tf.float32, count + 1, infer_shape=False)
    nothing = tf.ensure_shape(tf.zeros([overlap, *section]), [overlap, *known])
    _, last, parts = tf.while_loop(lambda n, *_: n < count, step, (0, nothing, parts), parallel_iterations=1)
    return parts.write(count, finish(last, count)).concat()


def loop(count: tf.Tensor, make: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int | None]) -> tf.Tensor:
    """Joins `make(0)`, …, `make(count - 1)`, each of `shape` and made one after another, along their first axis."""
    parts = tf.TensorArray(tf.float32, count, element_shape=shape, infer_shape=False)

    def step(n: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        return n + 1, parts.write(n, make(n))

    return tf.while_loop(lambda n, _: n < count, step, (0, parts), parallel_iterations=1)[1].concat()
