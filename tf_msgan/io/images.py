"""Images of several modalities, which share one grid."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import read_image
from tf_msgan.io.volumes import Volume, check_same_grid


def missing_modalities(modalities: Sequence[str], images: Sequence[Path | Volume | None]) -> list[str]:
    """Names of the modalities whose image, of `images` in the same order, is None."""
    return [name for name, image in zip(modalities, images, strict=True) if image is None]


def lacks_too_many(missing: Sequence[str], modalities: Sequence[str], may_lack_modality: bool) -> bool:
    """Whether a scan that lacks the `missing` of its modalities is refused: it may lack some, if any, but not all."""
    return len(missing) == len(modalities) or (len(missing) > 0 and not may_lack_modality)


def reference_of(volumes: list[Volume | None]) -> Volume:
    """The first volume of a scan (`read_images`) that is there; all else lies on its grid."""
    return next(filter(None, volumes))


def read_images(paths: Iterable[Path | None]) -> list[Volume | None]:
    """Reads the modalities of one scan, intensities as they are; None for one that has no file.

    Raises:
        InputError: a file is missing or wrong, one has no contrast where the first is not 0, or they do not share a
            grid.
    """
    volumes = [None if path is None else read_image(path) for path in paths]
    check_images(volumes)
    return volumes


def check_images(volumes: list[Volume | None]) -> None:
    """Refuses modalities of one scan that do not go together.

    Raises:
        InputError: as `read_images`, for volumes in memory.
    """
    reference = reference_of(volumes)
    for volume in filter(None, volumes):
        check_same_grid(volume, reference)
    mask = reference.data != 0
    if not mask.any():
        raise InputError(reference.path, "only zeros", "a scan")
    for volume in filter(None, volumes):
        inside = volume.data[mask]
        if inside.min() == inside.max():
            raise InputError(volume.path, f"the constant {inside[0]:g} all over the scan", "a scan with contrast")
