"""Segments brain MRI from very few labelled scans with a multi-stage GAN.

brain = tf_msgan.load("runs/mine")              # a trained model: a function of scans
result = brain("T1.nii.gz", "T2.nii.gz")        # its labels, probabilities and volumes
brain = tf_msgan.fit("scans", "runs/mine")      # trains one
"""

import importlib
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_msgan.inference.predictor import Predictor, load
    from tf_msgan.inference.segmentation import Segmentation
    from tf_msgan.interface import fit

__version__ = "0.2.0"
__all__ = ["Predictor", "Segmentation", "fit", "load"]

# Nothing heavy is imported before it is asked for.
_WHERE = {
    "Predictor": "tf_msgan.inference.predictor",
    "Segmentation": "tf_msgan.inference.segmentation",
    "fit": "tf_msgan.interface",
    "load": "tf_msgan.inference.predictor",
}

# TensorFlow reads this when it is first imported. By itself it leaves oneDNN off on processors without AVX-512 VNNI,
# and its own 3-D convolutions take five times as long there (docs/decisions.md).
if "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
    if "tensorflow" in sys.modules:
        warnings.warn(
            "TF_ENABLE_ONEDNN_OPTS=1 comes too late, for TensorFlow was imported before tf_msgan: convolutions may "
            "take five times as long on a processor without AVX-512 VNNI. Set it, or import tf_msgan first.",
            stacklevel=2,
        )
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_WHERE]
