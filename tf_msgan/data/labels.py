"""What the codes of a label map mean."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tf_msgan.data.volumes import Volume
from tf_msgan.errors import InputError

# Voxels of this class count neither in the loss nor in Dice.
IGNORE = 255


@dataclass(frozen=True)
class LabelTable:
    """Takes a label map's codes to classes.

    Attributes:
        tissues: names of the classes 1, 2, …; class 0 is the background.
        classes: code → class, or `IGNORE`.
        unlisted: the class of every other code; None refuses them.
        zero_in_brain: the class of code 0 inside the brain mask; None leaves it to `classes`.
    """

    tissues: tuple[str, ...]
    classes: Mapping[int, int]
    unlisted: int | None = None
    zero_in_brain: int | None = None

    def encode(self, codes: Volume, brain: np.ndarray) -> np.ndarray:
        """Returns uint8 `(i, j, k)` classes for codes `(i, j, k)`; `brain` is the boolean brain mask.

        Raises:
            InputError: a code is unknown, or no tissue occurs.
        """
        found, where = np.unique(codes.data, return_inverse=True)
        unknown = [int(code) for code in found if code not in self.classes]
        if unknown and self.unlisted is None:
            raise InputError(codes.path, f"label values {unknown}", f"only {sorted(self.classes)}")
        table = np.array([self.classes.get(int(code), self.unlisted) for code in found], np.uint8)
        classes = table[where].reshape(codes.data.shape)
        if self.zero_in_brain is not None:
            classes[(codes.data == 0) & brain] = self.zero_in_brain
        for tissue, name in enumerate(self.tissues, start=1):
            if not np.any(classes == tissue):
                raise InputError(codes.path, f"no voxel of {name}", f"all of {', '.join(self.tissues)}")
        return classes
