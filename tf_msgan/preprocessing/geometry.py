"""Where a scan lies: from the file's own axes and voxels to those of the networks, and back."""

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to

from tf_msgan.io.volumes import Shape, Spacing

# As of `nib.io_orientation`.
RAS = np.array([[0, 1], [1, 1], [2, 1]])


class NetworkGrid:
    """The grid on which networks see a scan: its own voxels with the axes put in the order and sense nearest to RAS
    (left → right, posterior → anterior, inferior → superior), resampled if asked.

    Args:
        shape, affine: of the scan as its file has it.
        resample: mm, the side of the cubic voxels to resample to; 0 keeps the scan's own.

    Attributes:
        shape, affine: of the grid; `spacing` in mm.
    """

    shape: Shape
    affine: np.ndarray
    spacing: Spacing

    def __init__(self, shape: Shape, affine: np.ndarray, resample: float = 0.0) -> None:
        self._own_affine = affine
        canonical = nib.as_closest_canonical(nib.Nifti1Image(np.broadcast_to(np.uint8(0), shape), affine))
        self.shape, self.affine = self._canonical = canonical.shape, canonical.affine
        self.resampled = resample > 0
        if self.resampled:
            zooms = nib.affines.voxel_sizes(canonical.affine)
            self.shape = tuple(np.maximum(np.round(zooms * self.shape / resample), 1).astype(int).tolist())
            # Both fields have one centre: nibabel's `rescale_affine` may be off by half a voxel.
            directions = canonical.affine[:3, :3] * (resample / zooms)
            centre = nib.affines.apply_affine(canonical.affine, (np.array(canonical.shape) - 1) / 2)
            origin = centre - directions @ ((np.array(self.shape) - 1) / 2)
            self.affine = nib.affines.from_matvec(directions, origin)
        self.spacing = tuple(nib.affines.voxel_sizes(self.affine).tolist())

    def take(self, data: np.ndarray, order: int) -> np.ndarray:
        """Brings `(i, j, k)` from the file's grid to this one, in its dtype; `order` 1 interpolates linearly, 0 takes
        the nearest voxel."""
        image = nib.as_closest_canonical(nib.Nifti1Image(data, self._own_affine))
        if self.resampled:
            image = resample_from_to(image, (self.shape, self.affine), order=order, mode="nearest")
        return np.ascontiguousarray(np.asanyarray(image.dataobj).astype(data.dtype, copy=False))

    def take_intensities(self, data: np.ndarray) -> np.ndarray:
        """`take` of a scan whose zeros mean that nothing is there: they are averaged with nothing, and stay 0."""
        taken = self.take(data, order=1)
        if not self.resampled:
            return taken
        share = self.take((data != 0).astype(np.float32), order=1)
        return np.where(share >= 0.5, taken / np.maximum(share, 0.5), 0).astype(data.dtype)

    def give_back(self, maps: np.ndarray) -> np.ndarray:
        """Brings `(i, j, k, channel)` maps from this grid to the file's own, in their dtype."""
        if self.resampled:
            # The fields' borders differ by less than a voxel.
            images = [nib.Nifti1Image(maps[..., n], self.affine) for n in range(maps.shape[-1])]
            back = [resample_from_to(image, self._canonical, order=1, mode="nearest").dataobj for image in images]
            maps = np.stack(back, axis=-1).astype(maps.dtype)
        # As `take` turned; asked again, the canonical affine may lie otherwise: between two axes rounding chooses.
        turn = nib.orientations.ornt_transform(RAS, nib.io_orientation(self._own_affine))
        return np.ascontiguousarray(nib.orientations.apply_orientation(maps, turn))
