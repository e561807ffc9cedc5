"""The grid of patches and its aggregator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_msgan.data.patches import Aggregator, gaussian_weights, grid_slices, grid_starts

sizes = st.integers(1, 23)


@given(st.integers(1, 200), st.integers(1, 64), st.data())
def test_starts_cover_the_axis(size, patch, data):
    stride = data.draw(st.integers(1, patch))
    starts = grid_starts(size, patch, stride)
    covered = np.zeros(size, bool)
    for start in starts:
        assert start >= 0 and (start + patch <= size or size < patch)
        covered[start : start + patch] = True
    assert covered.all()
    assert starts == sorted(set(starts))


def test_last_patch_ends_where_the_axis_ends():
    assert grid_starts(33, 16, 16) == [0, 16, 17]
    assert grid_starts(32, 16, 16) == [0, 16]
    assert grid_starts(10, 16, 8) == [0]


@settings(max_examples=25, deadline=None)
@given(st.tuples(sizes, sizes, sizes), st.tuples(*[st.integers(2, 9)] * 3), st.integers(0, 99))
def test_cutting_and_averaging_gives_the_map_back(shape, patch, seed):
    values = np.random.default_rng(seed).random((*shape, 3), np.float32)
    aggregator = Aggregator(shape, 3)
    for where in grid_slices(shape, patch, tuple(max(p // 2, 1) for p in patch)):
        aggregator.add(where, values[where])
    assert np.allclose(aggregator.average(), values, atol=1e-6)


def test_weights_are_a_gaussian():
    weights = gaussian_weights((16, 16, 8))
    assert weights.shape == (16, 16, 8) and weights.dtype == np.float32
    assert weights.max() == 1 and weights.min() == pytest.approx(1e-3)
    # σ = 16 / 8 = 2: three voxels from the middle pair's, exp(−½ (3.5² − 0.5²) / 2²).
    assert weights[11, 8, 4] / weights[8, 8, 4] == pytest.approx(np.exp(-0.5 * (3.5**2 - 0.5**2) / 4), rel=1e-5)


def test_overlap_is_weighted_by_hand():
    aggregator = Aggregator((3, 1, 1), 1)
    first, second = (slice(0, 2), slice(0, 1), slice(0, 1)), (slice(1, 3), slice(0, 1), slice(0, 1))
    aggregator.add(first, np.full((2, 1, 1, 1), 1.0, np.float32))
    aggregator.add(second, np.full((2, 1, 1, 1), 3.0, np.float32))
    # Both weigh the shared voxel alike.
    assert aggregator.average().ravel() == pytest.approx([1, 2, 3])


def test_hole_is_an_error():
    aggregator = Aggregator((4, 4, 4), 1)
    aggregator.add((slice(0, 2),) * 3, np.ones((2, 2, 2, 1), np.float32))
    with pytest.raises(ValueError, match="56 voxels"):
        aggregator.average()


def test_stride_beyond_patch_is_an_error():
    with pytest.raises(ValueError, match="stride"):
        grid_slices((9, 9, 9), (4, 4, 4), (5, 4, 4))
