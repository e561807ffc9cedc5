"""Passes over a volume in half-overlapping tiles, in a TensorFlow graph; sums are held for one slab of tiles at a time.

A tile has so many voxels along i, j and k. Tile number n along an axis covers the voxels from n × stride to
n × stride + tile, where stride is half a tile. So a volume of tiles is (count + 1) × stride voxels wide, and each of
its strides is the sum of the second half of one tile and the first half of the next.
"""

import numpy as np
import tensorflow as tf


def count_tiles(shape, tile):
    """How many half-overlapping tiles cover each axis of a volume of `shape` `(3,)`, an int32 tensor."""
    tile = tf.constant(tile)
    return tf.maximum(-(-(shape - tile) // (tile // 2)), 0) + 1


def pad_to_tiles(volume, tile):
    """Pads the far ends of `(i, j, k, channel)` with 0 until half-overlapping tiles cover it exactly. Returns the
    volume, and how many tiles there are along each axis."""
    count = count_tiles(tf.shape(volume)[:3], tile)
    extra = (count + 1) * (tf.constant(tile) // 2) - tf.shape(volume)[:3]
    padding = tf.concat([tf.stack([tf.zeros_like(extra), extra], axis=1), [[0, 0]]], axis=0)
    # Keras takes a convolution over an unknown number of channels for one in groups, which is ten times slower.
    return tf.ensure_shape(tf.pad(volume, padding), (None, None, None, volume.shape[-1])), count


def gaussian_weights(tile: tuple[int, int, int]) -> np.ndarray:
    """Returns `(i, j, k, 1)` float32 weights in (0, 1]: a Gaussian of σ = tile / 8, at least 1e-3 of its peak.

    A voxel near a tile's border was seen with less around it, and counts less (as in nnU-Net).
    """
    i, j, k = (np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in tile)
    weights = i[:, None, None] * j[:, None] * k
    return np.maximum(weights / weights.max(), 1e-3).astype(np.float32)[..., None]


def map_tiles(network, channels: int, volume, gates, tile: tuple[int, int, int], at_once: int, finish):
    """Averages a network's maps over the tiles that `gates` lets pass, weighted by `gaussian_weights`.

    Tiles are gone through slab by slab along i and row by row along j, so that sums are held for one slab alone.

    Args:
        network: takes `(tiles, *tile, channel)` and gives float32 maps of as many voxels.
        channels: of the maps.
        volume: `(i, j, k, channel)`, of whole tiles.
        gates: `(i, j, k)` bool, of as many tiles as `count_tiles` counts.
        tile: voxels along i, j, k, all even.
        at_once: most tiles in a batch.
        finish: takes `average`, `(stride of i, j, k, channel)`; `covered`, `(stride of i, j, k, 1)` bool, whether any
            tile did; and the number of the slab. Gives what is kept of the slab, float32 `(stride of i, j, k, …)`. The
            average is 0 where nothing covers.

    Returns:
        What `finish` gave, slab on slab: `(i, j, k, …)`.
    """
    stride = [n // 2 for n in tile]
    weights = gaussian_weights(tile)
    count, shape = tf.shape(gates), tf.shape(volume)
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
                maps = network(cut) * weights
                return tf.concat([maps, tf.ones_like(maps[..., :1]) * weights], axis=-1)

            maps = loop(-(-tf.shape(passed)[0] // at_once), batch, (None, *tile, channels + 1))
            of_all = tf.scatter_nd(passed, maps, [count[2], *tile, channels + 1])
            along_k = _add_halves(tf.transpose(of_all, [0, 3, 1, 2, 4]), stride[2])
            return tf.transpose(along_k, [2, 1, 0, 3])

        along_j = _overlap(count[1], row, [stride[1], tile[0], shape[2], channels + 1])
        return tf.transpose(along_j, [1, 0, 2, 3])

    def finish_slab(total, number):
        weight = total[..., -1:]
        return finish(tf.math.divide_no_nan(total[..., :-1], weight), weight > 0, number)

    return _overlap(count[0], layer, [stride[0], shape[1], shape[2], channels + 1], finish_slab)


def _add_halves(tiles, stride):
    """Adds `(count, 2 × stride, …)` tiles up to `((count + 1) × stride, …)`."""
    rest = [[0, 0]] * (len(tiles.shape) - 1)
    total = tf.pad(tiles[:, :stride], [[0, 1], *rest]) + tf.pad(tiles[:, stride:], [[1, 0], *rest])
    return tf.reshape(total, tf.concat([[-1], tf.shape(total)[2:]], axis=0))


def _overlap(count, make, half_shape, finish=lambda total, number: total):
    """`_add_halves` of `make(0)`, …, `make(count - 1)`, made one after another. `half_shape` is that of half of one;
    `finish` is given each stride of the sum and its number."""
    stride = half_shape[0]
    known = [n if isinstance(n, int) else None for n in half_shape]

    def step(n, upper, strides):
        tile = make(n)
        strides = strides.write(n, finish(upper + tile[:stride], n))
        return n + 1, tf.ensure_shape(tile[stride:], known), strides

    strides = tf.TensorArray(tf.float32, count + 1, infer_shape=False)
    upper = tf.ensure_shape(tf.zeros(half_shape), known)
    _, last, strides = tf.while_loop(lambda n, *_: n < count, step, (0, upper, strides), parallel_iterations=1)
    return strides.write(count, finish(last, count)).concat()


def loop(count, make, shape):
    """`make(0)`, …, `make(count - 1)`, each of `shape`, one after another along their first axis."""
    parts = tf.TensorArray(tf.float32, count, element_shape=shape, infer_shape=False)

    def step(n, parts):
        return n + 1, parts.write(n, make(n))

    return tf.while_loop(lambda n, _: n < count, step, (0, parts), parallel_iterations=1)[1].concat()
