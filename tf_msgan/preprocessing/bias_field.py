"""Bias-field correction by N4, for those who have SimpleITK."""

import importlib.util

import numpy as np

from tf_msgan.errors import require
from tf_msgan.io.volumes import Spacing

# N4 is fitted to every fourth voxel, as its authors advise: a bias field is smooth.
SHRINK = 4


def can_correct_bias() -> bool:
    """Whether SimpleITK is installed."""
    return importlib.util.find_spec("SimpleITK") is not None


def correct_bias(data: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Divides `(i, j, k)` float32 intensities by the bias field that N4 (Tustison et al. 2010) finds in the voxels that
    are above their mean; `spacing` in mm. Zeros stay zeros.

    Raises:
        InputError: there is no SimpleITK.
        RuntimeError: N4 fails, as on a single slice.
    """
    require("SimpleITK", "n4", "--n4, as in the training")
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.maximum(data, 0).T.astype(np.float32))
    image.SetSpacing(spacing)
    inside = data > data[data != 0].mean()
    mask = sitk.GetImageFromArray(inside.T.astype(np.uint8))
    mask.CopyInformation(image)
    factors = [max(1, min(SHRINK, n // 8)) for n in data.shape]
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.Execute(sitk.Shrink(image, factors), sitk.Shrink(mask, factors))
    log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)).T
    return (data / np.exp(log_field)).astype(np.float32)
