"""Tiles against a sum by hand."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_msgan.inference.tiles import Tiling, gaussian_weights, map_tiles


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
    ramp = tf.reshape(tf.range(8**3, dtype=tf.float32), (8, 8, 8, 1)) / 100
    return tf.concat([tiles[..., :1] * ramp, tf.sin(tiles[..., 1:] + ramp)], axis=-1)


@functools.cache
def by_tiles(stride):
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

        return map_tiles(positioned, 2, volume, gates, Tiling((8, 8, 8), stride), at_once, finish)

    return mapped


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([(4, 4, 4), (6, 6, 6), (4, 5, 6), (8, 6, 5)]),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.floats(0, 1),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_tiles_add_up_as_by_hand(stride, counts, share, at_once, seed):
    rng = np.random.default_rng(seed)
    volume = rng.normal(size=(*[(n - 1) * wide + 8 for n, wide in zip(counts, stride, strict=True)], 2))
    volume, gates = volume.astype(np.float32), rng.random(counts) < share
    total, weights = np.zeros_like(volume, float), np.zeros((*volume.shape[:3], 1))
    for corner in np.argwhere(gates):
        where = tuple(slice(at, at + 8) for at in corner * stride)
        total[where] += gaussian_weights((8, 8, 8)) * positioned(volume[where][None])[0].numpy()
        weights[where] += gaussian_weights((8, 8, 8))
    expected = np.divide(total, weights, out=np.zeros_like(total), where=weights > 0)

    got = by_tiles(stride)(volume, gates, at_once).numpy()
    assert np.allclose(got[..., :2], expected, atol=1e-5)
    assert np.array_equal(got[..., 2:3] > 0, weights > 0)
    assert np.array_equal(got[:, 0, 0, 3], np.minimum(np.arange(len(got)) // stride[0], counts[0]) * stride[0])
