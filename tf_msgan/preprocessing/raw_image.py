"""A scan's image on the grid on which networks see it, its intensities not scored yet."""

import math

import numpy as np

from tf_msgan.config import Preparation
from tf_msgan.errors import InputError
from tf_msgan.io.images import reference_of
from tf_msgan.io.read_volumes import MOST_VOXELS
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.bias_field import correct_bias
from tf_msgan.preprocessing.geometry import NetworkGrid


def network_grid(volumes: list[Volume | None], preparation: Preparation) -> NetworkGrid:
    """The grid on which networks see `read_images`'s volumes.

    Raises:
        InputError: resampled, it would have more voxels than a volume may.
    """
    reference = reference_of(volumes)
    grid = NetworkGrid(reference.data.shape, reference.affine, preparation.resample)
    if math.prod(grid.shape) > MOST_VOXELS:
        raise InputError(
            reference.path, f"{grid.shape} voxels of {preparation.resample} mm", f"at most {MOST_VOXELS:,}"
        )
    return grid


def take_image(volumes: list[Volume | None], grid: NetworkGrid, preparation: Preparation) -> np.ndarray:
    """Returns the raw `(i, j, k, modality)` float32 image on `grid`, its bias field corrected if the run does that; a
    modality that is missing is 0.

    Raises:
        InputError: N4 cannot correct a scan, or is not installed.
    """

    def channel(volume: Volume | None) -> np.ndarray:
        if volume is None:
            return np.zeros(grid.shape, np.float32)
        taken = grid.take_intensities(volume.data)
        if not preparation.n4:
            return taken
        try:
            return correct_bias(taken, grid.spacing)
        except RuntimeError as error:
            found = f"a scan that N4 cannot correct ({str(error).strip().splitlines()[-1].strip()})"
            raise InputError(volume.path, found, "another, or none of --n4") from None

    return np.stack([channel(volume) for volume in volumes], axis=-1)
