"""Volumes on one grid."""

import numpy as np
import pytest

from tf_msgan.errors import InputError
from tf_msgan.io.volumes import Volume, check_same_grid


def volume(shape=(10, 10, 10), shift=0.0):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = shift
    return Volume(np.zeros(shape), affine, "some/file.nii")


def test_grids_must_agree():
    check_same_grid(volume(shift=0.4), volume())
    with pytest.raises(InputError, match=r"found shape \(9, 10, 10\)"):
        check_same_grid(volume(shape=(9, 10, 10)), volume())
    with pytest.raises(InputError, match=r"2\.50 mm away"):
        check_same_grid(volume(shift=2.5), volume())
