"""Tiles against a sum by hand."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_msgan.inference.tiles import Tiling, gaussian_weights, map_tiles

TILINGS = (
    Tiling((8, 8, 8), (4, 4, 4)),
    Tiling((8, 8, 8), (8, 6, 5)),
    Tiling((8, 4, 6), (5, 4, 3)),
    Tiling((4, 8, 8), (3, 6, 7)),
)


def test_weights_are_a_gaussian():
    weights = gaussian_weights((16, 16, 32))[..., 0]
    assert weights.shape == (16, 16, 32) and weights.dtype == np.float32
    assert weights.max() == 1 and weights.min() == pytest.approx(1e-3)
    # σ = 16 / 8 = 2: three voxels from the middle pair's, exp(−½ (3.5² − 0.5²) / 2²).
    assert weights[11, 8, 16] / weights[8, 8, 16] == pytest.approx(np.exp(-0.5 * (3.5**2 - 0.5**2) / 4), rel=1e-5)


@given(st.lists(st.integers(1, 300), min_size=3, max_size=3), st.sampled_from([16, 32, 64]))
@settings(deadline=None, max_examples=50)
def test_tiles_reach_to_the_end_and_no_further_than_they_must(shape, tile):
    tiling = Tiling.of((tile,) * 3)
    assert tiling.stride == (tile * 5 // 8,) * 3
    counts = tiling.count(tf.constant(shape))
    widths = tiling.width(counts).numpy()
    for size, count, width in zip(shape, counts.numpy(), widths, strict=True):
        ends = [n * tile * 5 // 8 + tile for n in range(count)]
        assert ends[-1] == width >= size
        assert count == 1 or ends[-2] < size


def positioned(tiles):
    """A map that depends on where in its tile a voxel lies."""
    shape = tiles.shape[1:4]
    ramp = tf.reshape(tf.range(math.prod(shape), dtype=tf.float32), (*shape, 1)) / 100
    return tf.concat([tiles[..., :1] * ramp, tf.sin(tiles[..., 1:] + ramp)], axis=-1)


@functools.cache
def by_tiles(tiling):
    @functools.partial(
        tf.function,
        autograph=False,
        input_signature=[
            tf.TensorSpec((None, None, None, 2), tf.float32),
            tf.TensorSpec((None, None, None), tf.bool),
            tf.TensorSpec((), tf.int32),
        ],
    )
    def mapped(volume, gates, at_once):
        def finish(average, covered, first):
            mark = tf.ones_like(average[..., :1])
            return tf.concat([average, tf.cast(covered, tf.float32), mark * tf.cast(first, tf.float32)], axis=-1)

        return map_tiles(positioned, 2, volume, gates, tiling, at_once, finish)

    return mapped


def by_hand(volume, gates, tile, stride):
    """The average and the weights over whole volumes, one tile after another."""
    middle, sigma = (np.array(tile) - 1) / 2, np.array(tile) / 8
    weight = np.exp(-0.5 * (((np.moveaxis(np.indices(tile), 0, -1) - middle) / sigma) ** 2).sum(-1, keepdims=True))
    weight = np.maximum(weight / weight.max(), 1e-3)
    total, weights = np.zeros(volume.shape), np.zeros((*volume.shape[:3], 1))
    for first in np.argwhere(gates) * stride:
        where = tuple(slice(start, start + width) for start, width in zip(first, tile, strict=True))
        total[where] += weight * positioned(volume[where][None])[0]
        weights[where] += weight
    return total / np.where(weights > 0, weights, 1), weights


@settings(deadline=None, max_examples=60)
@given(
    tiling=st.sampled_from(TILINGS),
    shape=st.tuples(*[st.integers(1, 24)] * 3),
    share=st.floats(0, 1),
    at_once=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_tiles_add_up_as_by_hand(tiling, shape, share, at_once, seed):
    rng = np.random.default_rng(seed)
    volume, count = (tensor.numpy() for tensor in tiling.pad(rng.normal(size=(*shape, 2)).astype(np.float32)))
    gates = rng.random(count) < share
    average, weights = by_hand(volume, gates, tiling.tile, tiling.stride)

    got = by_tiles(tiling)(volume, gates, at_once).numpy()
    assert np.allclose(got[..., :2], average, atol=1e-5)
    assert np.array_equal(got[..., 2:3] > 0, weights > 0)
    slab = np.minimum(np.arange(len(got)) // tiling.stride[0], count[0])
    assert np.array_equal(got[:, 0, 0, 3], slab * tiling.stride[0])
