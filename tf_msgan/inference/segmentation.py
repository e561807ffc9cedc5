"""The segmentation of a scan, as who asks for one gets it."""

import dataclasses
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nibabel as nib

from tf_msgan.datasets.cases import Case
from tf_msgan.errors import InputError
from tf_msgan.inference.outputs import Outputs, tissue_volumes
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.volumes import Volume
from tf_msgan.io.write_volumes import image_on_grid


@dataclass(frozen=True)
class Segmentation:
    """A segmented scan, on the grid of its first image.

    Attributes:
        maps: all that is known of every voxel, as arrays.
        reference: the first image.
        tissues: names of the labels 1, 2, ….
        case: the files of the scan, if it came from files.
        source: what made it.
        doubts: why not to trust it, a line each.
    """

    maps: TissueMaps
    reference: Volume
    tissues: tuple[str, ...]
    case: Case
    source: str = ""
    doubts: tuple[str, ...] = ()

    @cached_property
    def labels(self) -> nib.Nifti1Image:
        """`(i, j, k)` uint8: 0 is the background, 1, 2, … are `tissues`."""
        return image_on_grid(self.maps.labels, self.reference)

    @cached_property
    def probabilities(self) -> nib.Nifti1Image:
        """`(i, j, k, tissue)` float32, in 0..1; what is missing to a sum of 1 is the background's."""
        return image_on_grid(self.maps.probabilities[..., 1:], self.reference)

    @cached_property
    def volumes(self) -> dict[str, float]:
        """The volume of each tissue in mL, by its name."""
        rows = tissue_volumes(self.maps, self.reference.voxel_ml, self.tissues)
        return {row["tissue"]: row["volume_ml"] for row in rows}

    def save(self, folder: str | os.PathLike[str], name: str | None = None) -> Path:
        """Writes what `tf_msgan.predict` writes of a case: `NAME_dseg.nii.gz`, `NAME_probseg.nii.gz`,
        `NAME_volumes.tsv`, their sidecars, and `dseg.tsv`.

        Args:
            folder: where the files go; it is made if need be.
            name: of the case; by default that of the scan's first file without its modality.

        Returns:
            The path of the label map.

        Raises:
            TypeError: there is no name, and the scan did not come from files.
            InputError: another scan's segmentation, or one that was corrected since, would be replaced.
            OSError: a file cannot be written.
        """
        if not (name or self.case.id):
            raise TypeError("no name; expected one, for the scan did not come from files")
        case = dataclasses.replace(self.case, id=name or self.case.id)
        outputs = Outputs(Path(folder), naming="plain", tissues=self.tissues, source=self.source)
        labels = outputs.path(case, "dseg.nii.gz")
        if not any(case.images) and labels.exists():
            raise InputError(labels, "a label map there already", "another folder or name: whose scan it is is unknown")
        outputs.check_free(case)
        outputs.begin()
        outputs.write(case, self.reference, self.maps)
        return labels
