"""The grid of patches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_msgan.patches.patch_grid import grid_slices, grid_starts

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
@given(st.tuples(sizes, sizes, sizes), st.tuples(*[st.integers(2, 9)] * 3))
def test_patches_cover_the_volume(shape, patch):
    covered = np.zeros(shape, bool)
    for where in grid_slices(shape, patch, tuple(max(p // 2, 1) for p in patch)):
        assert covered[where].shape == tuple(np.minimum(shape, patch))
        covered[where] = True
    assert covered.all()


def test_stride_beyond_patch_is_an_error():
    with pytest.raises(ValueError, match="stride"):
        grid_slices((9, 9, 9), (4, 4, 4), (5, 4, 4))
