"""Images of several modalities, which share one grid."""

from tf_msgan.errors import InputError
from tf_msgan.io.read_volumes import read_image
from tf_msgan.io.volumes import Volume, check_same_grid


def missing_modalities(modalities, images) -> list[str]:
    """Names of the modalities that `images`, one of each, are None for."""
    return [name for name, image in zip(modalities, images, strict=True) if image is None]


def lacks_too_many(missing, modalities, may_lack_modality: bool) -> bool:
    """Whether a scan without the `missing` ones of its modalities is refused: it may lack some, if any, but not all."""
    return len(missing) == len(modalities) or (len(missing) > 0 and not may_lack_modality)


def reference_of(volumes: list[Volume | None]) -> Volume:
    """The first of `read_images`'s volumes that there is, on whose grid all else lies."""
    return next(filter(None, volumes))


def read_images(paths) -> list[Volume | None]:
    """Reads the modalities of one scan, intensities as they are; None for one that has no file.

    Raises:
        InputError: a file is missing or wrong, one has no contrast where the first is not 0, or they do not share a
            grid.
    """
    volumes = [path and read_image(path) for path in paths]
    check_images(volumes)
    return volumes


def check_images(volumes: list[Volume | None]):
    """Refuses the modalities of one scan that do not go together; raises as `read_images`."""
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
