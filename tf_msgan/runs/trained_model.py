"""The model of a run, or of a model file."""

from pathlib import Path

import keras

import tf_msgan.models.make_model  # noqa: F401  Keras must know the classes
from tf_msgan.errors import InputError
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.runs.model_file import UNREADABLE, modalities_of, model_file, read_model_config, unreadable


def load_model(path: Path) -> SegmentationModel:
    """Returns the trained model of a run's folder, or of its `model.keras`, which knows all that prediction needs.

    Raises:
        InputError: there is none, it is none of this package, or a newer version wrote it.
    """
    file = model_file(path)
    recorded = read_model_config(file)
    modalities, variables = modalities_of(recorded, file), recorded.get("variables")
    try:
        model = keras.saving.load_model(file, compile=False)
    except UNREADABLE as error:
        raise unreadable(file, error) from None
    if not isinstance(model, SegmentationModel):
        raise InputError(file, f"a {type(model).__name__}", "a model saved by tf_msgan.train")
    if variables not in (None, list(model.model_variables())):
        raise InputError(file, "weights of other layers, or in another order", "those of this version of tf_msgan")
    model.modalities = modalities
    return model
