"""What the codes of a label map mean."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tf_msgan.errors import InputError
from tf_msgan.io.volumes import Volume

# What names of tissues say of the side.
SIDES = {"left", "right", "lh", "rh", "l", "r"}


@dataclass(frozen=True)
class LabelTable:
    """Takes a label map's codes to classes.

    Attributes:
        tissues: names of the classes 1, 2, …; class 0 is the background.
        classes: code → class, or `IGNORE`.
        unlisted: the class of every other code; None refuses them.
        zero_in_brain: the class of code 0 inside the mask of the scan; None leaves it to `classes`.
        all_present: whether every scan must hold every tissue.
    """

    tissues: tuple[str, ...]
    classes: Mapping[int, int]
    unlisted: int | None = None
    zero_in_brain: int | None = None
    all_present: bool = True

    def encode(self, codes: Volume, mask: np.ndarray) -> np.ndarray:
        """Returns uint8 `(i, j, k)` classes for codes `(i, j, k)`; `mask` is where the scan is not 0, bool.

        Raises:
            InputError: a code is unknown, no tissue occurs, or one that must does not.
        """
        found = np.unique(codes.data)
        unknown = [int(code) for code in found if code not in self.classes]
        if unknown and self.unlisted is None:
            raise InputError(
                codes.path,
                f"label values {shorten(unknown)}",
                f"only {shorten(sorted(self.classes))}, or --labels for others",
            )
        table = np.array([self.classes.get(int(code), self.unlisted) for code in found], np.uint8)
        # Asked for the inverse too, `np.unique` sorts all voxels, which takes ten times as long.
        classes = table[np.searchsorted(found, codes.data)]
        if self.zero_in_brain is not None:
            classes[(codes.data == 0) & mask] = self.zero_in_brain
        present = set(np.unique(classes).tolist())
        missing = [name for number, name in enumerate(self.tissues, start=1) if number not in present]
        if len(missing) == len(self.tissues) or (missing and self.all_present):
            raise InputError(codes.path, f"no voxel of {', '.join(missing)}", f"all of {', '.join(self.tissues)}")
        return classes


def warn_of_sides(tissues: Iterable[str]) -> list[str]:
    """Returns a line if tissues differ by their side alone, such as `Left-Thalamus` and `Right-Thalamus`; else none."""
    words = {name: re.split(r"[^a-z0-9]+", name.lower()) for name in tissues}
    without = {name: [word for word in those if word not in SIDES] for name, those in words.items()}
    rest = [without[name] for name in words if without[name] != words[name]]
    both = [name for name in words if without[name] != words[name] and rest.count(without[name]) > 1]
    mend = "training mirrors patches, so that sides look alike; --set augmentation.mirror=0, and no --tta"
    return [f"{len(both)} tissues of one side, such as {both[0]}: {mend}"] if both else []


def shorten(values: list[int]) -> str:
    """Writes ten of the values at most."""
    return f"[{', '.join(map(str, values[:10]))}{', …' if len(values) > 10 else ''}]"
