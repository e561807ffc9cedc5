"""Intensities: by hand, and against NumPy."""

import numpy as np
import pytest

from tf_msgan.config import STRIPPED, Preparation
from tf_msgan.preprocessing.mask import find_mask
from tf_msgan.preprocessing.normalisation import CLIP, normalise
from tf_msgan.preprocessing.reserved_values import BACKGROUND

HEADS = Preparation(crop="nonzero")


def column(*channels):
    """Voxels in a column `(n, 1, 1, modality)`."""
    return np.stack([np.array(values, np.float32).reshape(-1, 1, 1) for values in channels], axis=-1)


def test_z_score_by_hand():
    scored = normalise(column([0, 2, 4], [9, 1, 3]), STRIPPED).numpy()[:, 0, 0]
    assert scored[:, 0] == pytest.approx([0, -1, 1])
    # The mask is where the first modality is not 0: the second's 9 does not count.
    assert scored[:, 1] == pytest.approx([0, -1, 1])
    assert scored[:, 2].tolist() == [0, 1, 1]


def test_heads_are_scored_by_what_is_brighter_than_the_mean():
    values = [1, 1, 1, 1, 8, 10, 12]
    scored = normalise(column(values), HEADS).numpy()[:, 0, 0, 0]
    bright = np.array([8, 10, 12])
    expected = np.clip((np.array(values) - bright.mean()) / bright.std(), -CLIP, CLIP)
    assert scored == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("crop", ["brain", "nonzero"])
def test_percentiles_are_numpys(crop):
    values = np.random.default_rng(0).gamma(2, 100, 997).astype(np.float32)
    values[:50] = 0
    scored = normalise(column(values), Preparation(crop=crop, normalise="percentile")).numpy()[:, 0, 0, 0]
    counted = values[values != 0]
    if crop == "nonzero":
        counted = counted[counted > counted.mean(dtype=np.float64)]
    low, high = np.percentile(counted.astype(np.float64), [0.5, 99.5])
    expected = np.clip((values - (low + high) / 2) / ((high - low) / (2 * 2.5758)), -CLIP, CLIP) * (values != 0)
    assert scored == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("normalisation", ["zscore", "percentile"])
def test_gain_and_offset_do_not_matter(normalisation):
    values = np.random.default_rng(0).normal(500, 60, 300).astype(np.float32)
    one, other = (
        normalise(column(v), Preparation(normalise=normalisation)).numpy()[..., 0] for v in (values, 3 * values + 40)
    )
    assert one == pytest.approx(other, abs=1e-3)


def test_a_missing_modality_is_background():
    scored = normalise(column([0, 0, 0], [0, 2, 4]), STRIPPED).numpy()[:, 0, 0]
    assert scored[:, 0].tolist() == [0, BACKGROUND, BACKGROUND]
    assert scored[:, 1] == pytest.approx([0, -1, 1])
    assert find_mask(column([0, 0, 0], [0, 2, 4]))[:, 0, 0].numpy().tolist() == [False, True, True]


def test_nothing_gives_nothing():
    for preparation in (STRIPPED, HEADS, Preparation(normalise="percentile")):
        assert not np.any(normalise(column([0, 0], [0, 0]), preparation))
