"""Grids: every orientation, oblique affines, and resampling, there and back."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tf_msgan.preprocessing.geometry import NetworkGrid

SHAPE = (5, 7, 6)
SPACING = (0.9, 1.1, 3.0)

# All orders and senses of three axes.
AXCODES = [
    tuple(pair[sense] for pair, sense in zip(order, senses, strict=True))
    for order in itertools.permutations(("LR", "PA", "IS"))
    for senses in itertools.product((0, 1), repeat=3)
]


def affine_of(axcodes, spacing=SPACING, tilt=(0, 0, 0), origin=(3.0, -20.0, 11.0)):
    orientation = nib.orientations.axcodes2ornt(axcodes)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sense) in enumerate(orientation):
        affine[int(world), axis] = sense * spacing[axis]
    affine[:3, :3] = Rotation.from_euler("XYZ", tilt, degrees=True).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize("axcodes", AXCODES, ids="".join)
def test_every_orientation_there_and_back(axcodes):
    rng = np.random.default_rng(0)
    affine = affine_of(axcodes, tilt=(8, -11, 5))
    labels = rng.integers(0, 4, SHAPE).astype(np.uint8)
    grid = NetworkGrid(SHAPE, affine)
    taken = grid.take(labels, order=0)
    assert nib.aff2axcodes(grid.affine) == ("R", "A", "S")
    assert taken.shape == grid.shape and taken.dtype == np.uint8
    # A voxel keeps its place in the world, and its label.
    for at in [(0, 0, 0), (4, 6, 5), (1, 2, 3)]:
        there = nib.affines.apply_affine(np.linalg.inv(grid.affine) @ affine, at)
        assert taken[tuple(np.rint(there).astype(int))] == labels[at]
    back = grid.give_back(taken[..., None])[..., 0]
    assert np.array_equal(back, labels) and back.dtype == np.uint8


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(AXCODES),
    st.tuples(*[st.floats(-40, 40)] * 3),
    st.tuples(*[st.floats(0.3, 4)] * 3),
    st.tuples(*[st.integers(1, 8)] * 3),
)
def test_any_affine_there_and_back(axcodes, tilt, spacing, shape):
    labels = np.random.default_rng(1).integers(0, 9, shape).astype(np.uint8)
    grid = NetworkGrid(shape, affine_of(axcodes, spacing, tilt))
    assert np.array_equal(grid.give_back(grid.take(labels, order=0)[..., None])[..., 0], labels)
    assert sorted(grid.spacing) == pytest.approx(sorted(spacing))
    assert np.linalg.det(grid.affine) == pytest.approx(abs(np.linalg.det(grid.affine)))


@pytest.mark.parametrize("axcodes", AXCODES, ids="".join)
def test_an_axis_between_two_of_the_world_there_and_back(axcodes):
    """Tilted by 45°, as float32 in a header: which axis of the world is the nearest is a matter of rounding."""
    labels = np.random.default_rng(1).integers(0, 9, SHAPE).astype(np.uint8)
    for second, spacing in itertools.product(range(2, 40, 5), [(1, 1, 1), (0.9, 0.9, 3.0)]):
        for tilt in ((45, second, 0), (second, 45, 0), (0, second, 45)):
            affine = affine_of(axcodes, spacing, tilt).astype(np.float32).astype(float)
            grid = NetworkGrid(SHAPE, affine)
            assert np.array_equal(grid.give_back(grid.take(labels, order=0)[..., None])[..., 0], labels)


@pytest.mark.parametrize("axcodes", [("R", "A", "S"), ("L", "P", "S"), ("I", "R", "P")])
def test_resampled_there_and_back(axcodes):
    """A smooth map survives; the grid covers the same field, in cubic voxels."""
    shape, affine = (30, 34, 12), affine_of(axcodes, (1.2, 1.0, 3.0))
    i, j, k = np.indices(shape) / 10
    smooth = (np.sin(i) + np.cos(j) + k / 3).astype(np.float32)
    grid = NetworkGrid(shape, affine, resample=1.5)
    assert grid.spacing == pytest.approx((1.5, 1.5, 1.5)) and nib.aff2axcodes(grid.affine) == ("R", "A", "S")
    extent = sorted(n * mm for n, mm in zip(shape, (1.2, 1.0, 3.0), strict=True))
    assert sorted(n * 1.5 for n in grid.shape) == pytest.approx(extent, abs=1.5)
    centre = nib.affines.apply_affine(affine, (np.array(shape) - 1) / 2)
    assert nib.affines.apply_affine(grid.affine, (np.array(grid.shape) - 1) / 2) == pytest.approx(centre)
    back = grid.give_back(grid.take(smooth, order=1)[..., None])[..., 0]
    assert back.shape == shape and back.dtype == np.float32
    inner = (slice(3, -3), slice(3, -3), slice(2, -2))
    assert np.abs(back[inner] - smooth[inner]).max() < 0.1


@pytest.mark.parametrize(("spacing", "resample"), [(1.0, 2.0), (1.0, 3.0), (3.0, 1.0), (2.0, 1.3)])
def test_borders_are_kept(spacing, resample):
    """scipy takes what lies half a voxel beyond the outermost centres for outside, which it is not."""
    data = np.full((20, 21, 8), 7, np.float32)
    grid = NetworkGrid(data.shape, np.diag([1, 1, spacing, 1]), resample)
    taken = grid.take_intensities(data)
    assert np.all(taken == 7) and np.all(grid.take(data.astype(np.uint8), order=0) == 7)
    assert np.allclose(grid.give_back(taken[..., None]), 7)


def test_zeros_stay_zeros_when_resampled():
    data = np.zeros((12, 12, 12), np.float32)
    data[3:9, 3:9, 3:9] = 100
    taken = NetworkGrid(data.shape, np.eye(4), resample=0.7).take_intensities(data)
    # Nothing is averaged into the border.
    assert set(np.unique(taken.round(3))) == {0, 100}
    # 6 voxels of 1 mm are 8 or 9 of 0.7 mm.
    assert 8**3 <= np.count_nonzero(taken) <= 9**3
    assert taken.max() == 100
