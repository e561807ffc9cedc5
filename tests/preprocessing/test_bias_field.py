"""N4."""

import numpy as np
import pytest

from tests.conftest import save_nifti
from tf_msgan.config import Preparation
from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import read_image
from tf_msgan.preprocessing.bias_field import correct_bias
from tf_msgan.preprocessing.raw_image import network_grid, take_image


def test_a_single_slice_is_not_for_n4(tmp_path):
    pytest.importorskip("SimpleITK")
    path = save_nifti(tmp_path / "slice.nii.gz", np.random.default_rng(0).uniform(1, 9, (64, 64, 1)))
    volumes = [read_image(path)]
    preparation = Preparation(n4=True)
    with pytest.raises(InputError, match=r"slice\.nii\.gz: found a scan that N4 cannot correct"):
        take_image(volumes, network_grid(volumes, preparation), preparation)


def test_n4_takes_a_bias_field_away():
    pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(0)
    shape = (40, 44, 36)
    i, j, k = (np.indices(shape) / 40) - 0.5
    ball = i**2 + j**2 + k**2 < 0.17
    tissue = np.where(ball, np.where(i**2 + j**2 + k**2 < 0.08, 900, 600), 0) + rng.normal(0, 10, shape)
    true = np.where(ball, tissue, 0).astype(np.float32)
    biased = (true * np.exp(0.5 * i + 0.3 * j)).astype(np.float32)
    corrected = correct_bias(biased, (1.0, 1.0, 1.0))
    assert corrected.shape == shape and corrected.dtype == np.float32
    assert np.array_equal(corrected != 0, biased != 0)

    def spread(image):
        inner = image[ball & (true > 750)]
        return inner.std() / inner.mean()

    assert spread(corrected) < 0.4 * spread(biased)
