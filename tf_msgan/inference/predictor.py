"""A trained model as a function of scans."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from tf_msgan.datasets.cases import LACKING, Case, case_of_files
from tf_msgan.datasets.modality_names import find_modality
from tf_msgan.errors import InputError, OptionError, memory_named
from tf_msgan.inference.ensemble import Ensemble
from tf_msgan.inference.own_grid import segment_volumes
from tf_msgan.inference.scan_segmenter import ScanSegmenter
from tf_msgan.inference.segmentation import Segmentation
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.inference.training_mismatch import find_mismatches
from tf_msgan.io.digests import digest_file
from tf_msgan.io.images import check_images, lacks_too_many, missing_modalities, reference_of
from tf_msgan.io.read_volumes import read_image, volume_of_image
from tf_msgan.io.volumes import Volume
from tf_msgan.runs.model_file import model_file
from tf_msgan.runs.trained_model import load_model

# An image of a scan, as whoever asks for its segmentation has it.
Image = str | os.PathLike[str] | nib.spatialimages.SpatialImage | np.ndarray


class Predictor:
    """Segments scans, each on its own grid.

    Args:
        segmenter: a `Segmenter`, an `Ensemble` of them, or a `ServedSegmenter`.
        modalities: names of the images that it takes, in its order.
        source: what it is, for the sidecars of what is saved.

    Attributes:
        tissues: names of the labels 1, 2, ….
        takes_missing_modality: whether the model was trained for scans that lack a modality.
    """

    def __init__(self, segmenter: ScanSegmenter, modalities: Sequence[str], source: str = ""):
        self.segmenter = segmenter
        self.modalities = tuple(modalities)
        self.source = source
        self.tissues = segmenter.tissues
        self.takes_missing_modality = segmenter.takes_missing_modality

    def __call__(self, *images: Image | None, affine: np.ndarray | None = None, **named: Image | None) -> Segmentation:
        """Segments one scan.

        Args:
            images: one a modality, in the order of `modalities`: a path, a nibabel image, or an array `(i, j, k)` of
                raw intensities, 0 where nothing is; None for one that the scan lacks. All lie on one grid.
            affine: `(4, 4)`, voxel → RAS mm, of arrays.
            named: the images by the names of their modalities, in place of `images`; T1 may stand for T1w.

        Returns:
            Its maps on the grid of the first image. What sets the scan apart from those of the training is said in
            `Segmentation.doubts`, and warned of.

        Raises:
            TypeError: there are other images than the model takes, or arrays without an affine.
            InputError: a file is missing or wrong, the images do not share a grid, or there is no memory left.
        """
        given = self._in_order(images, named)
        named_images = zip(given, self.modalities, strict=True)
        volumes = [None if image is None else _read(image, name, affine) for image, name in named_images]
        self._check_modalities(volumes)
        check_images(volumes)
        with memory_named(reference_of(volumes).path, "a smaller scan, or more memory"):
            maps = self.segment(volumes)
        doubts = self.doubts(volumes, maps)
        for doubt in doubts:
            warnings.warn(f"{reference_of(volumes).path}: {doubt}", stacklevel=2)
        files = [image if isinstance(image, str | os.PathLike) else None for image in given]
        case = case_of_files([file or LACKING for file in files], self.modalities) if any(files) else Case("", ())
        return Segmentation(
            maps=maps,
            reference=reference_of(volumes),
            tissues=self.tissues,
            case=case,
            source=self.source,
            doubts=tuple(doubts),
        )

    def segment(self, volumes: list[Volume | None]) -> TissueMaps:
        """Segments the modalities of one scan, `tf_msgan.io.images.read_images`'s volumes."""
        return segment_volumes(volumes, self.segmenter)

    def doubts(self, volumes: list[Volume | None], maps: TissueMaps) -> list[str]:
        """Returns why the maps of a scan are hardly to be trusted, a line each."""
        doubts = find_mismatches(volumes, self.segmenter.preparation)
        if missing := missing_modalities(self.modalities, volumes):
            doubts.append(f"segmented without {', '.join(missing)}, which it lacks")
        if maps.outline_failed:
            doubts.append("hardly any brain was outlined; all of it was refined")
        return doubts

    def _in_order(self, images: Sequence[Image | None], named: Mapping[str, Image | None]) -> list[Image | None]:
        """Returns one image a modality, in the order of `modalities`; refuses others than the model takes."""
        names = ", ".join(self.modalities)
        if images and named:
            raise TypeError(f"images both in order and by name; expected one of the two: {names}")
        numbers = {name: find_modality(name, self.modalities) for name in named}
        if unknown := [name for name, number in numbers.items() if number is None]:
            raise TypeError(f"no modality called {', '.join(unknown)}; the model takes {names}")
        if len(set(numbers.values())) < len(numbers):
            raise TypeError(f"one modality twice, in {', '.join(named)}; the model takes {names}")
        if not named and len(images) != len(self.modalities):
            raise TypeError(f"{len(images)} images; expected {len(self.modalities)}: {names}, in this order")
        if not named:
            return list(images)
        by_number = {numbers[name]: image for name, image in named.items()}
        return [by_number.get(number) for number in range(len(self.modalities))]

    def _check_modalities(self, volumes: list[Volume | None]) -> None:
        """Refuses a scan that lacks more modalities than the model may do without."""
        missing = missing_modalities(self.modalities, volumes)
        if lacks_too_many(missing, self.modalities, self.takes_missing_modality):
            expected = "one at least" if self.takes_missing_modality else f"all of {', '.join(self.modalities)}"
            raise InputError("the scan", f"no {', '.join(missing)}", expected)


def _read(image: Image, name: str, affine: np.ndarray | None) -> Volume:
    """Reads the image of the modality `name`; `affine` is an array's."""
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    if isinstance(image, np.ndarray):
        if affine is None:
            raise TypeError(f"{name}: an array; expected its affine beside it: affine=")
        if np.shape(affine) != (4, 4):
            raise TypeError(f"{name}: an affine of shape {np.shape(affine)}; expected (4, 4)")
        if image.dtype.kind not in "iufb":
            raise TypeError(f"{name}: an array of {image.dtype}; expected real numbers")
        image = nib.Nifti1Image(image.astype(np.float32), np.asarray(affine, np.float64))
    if not isinstance(image, nib.spatialimages.SpatialImage):
        raise TypeError(f"{name}: a {type(image).__name__}; expected a path, a nibabel image or an array")
    return volume_of_image(image, name)


def load(*paths: str | os.PathLike[str], tta: bool = False, p_real: bool = False) -> Predictor:
    """Returns a trained model as a function of scans.

    Args:
        paths: the folder of a run, or its `model.keras` alone; of several, such as folds, the probabilities are
            averaged.
        tta: average over the scan and its mirror image, left to right; twice the time.
        p_real: map P(real) by the discriminator, too.

    Raises:
        InputError: there is no model, a newer version wrote it, several do not go together, or the model has no
            discriminator that has learnt.
    """
    if not paths:
        raise TypeError("no path; expected the folder of a run, or a model file")
    files = {str(path): model_file(Path(path)) for path in paths}
    if len({file.resolve() for file in files.values()}) < len(paths):
        raise InputError("RUN", " ".join(map(str, paths)), "each run once")
    models = {path: load_model(file) for path, file in files.items()}
    (first, model), *others = models.items()
    for path, other in others:
        if other.modalities != model.modalities:
            expected = f"{', '.join(model.modalities)} as of {first}"
            raise InputError(path, f"the modalities {', '.join(other.modalities)}", expected)
    for path, each in models.items():
        if p_real and not each.has_discriminator:
            raise OptionError("p_real", f"{path}, of a {each.config.model}", "a model with a discriminator")
        if p_real and not each.has_adversarial_steps:
            found = f"{path}, whose best epoch lies before the adversarial phase"
            raise OptionError("p_real", found, "a D that has learnt")
    segmenters = {path: Segmenter(each, mirrored=tta, with_p_real=p_real) for path, each in models.items()}
    sources = [f"the run {Path(path).resolve()}, model {digest_file(file)[:12]}" for path, file in files.items()]
    source = f"{' and '.join(sources)}{', with --tta' if tta else ''}"
    return Predictor(Ensemble(segmenters), model.modalities, source)
