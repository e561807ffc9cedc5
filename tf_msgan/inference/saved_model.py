"""Exports a trained model as a SavedModel for TF Serving (saved_models/README.md has its signatures)."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from tf_msgan.errors import InputError
from tf_msgan.inference.segmenter import Segmenter, pad_with_background
from tf_msgan.io.atomic_files import temporary_path
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.networks.fusion import brain

# Where TF Serving looks for requests to replay before it serves a model.
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
# Voxels a side of the volume in it: some tiles of the refiner.
WARM_UP_SIZE = 72

# What a signature gives, by name.
Tensors = dict[str, tf.Tensor]
# A signature: its name, its function, and the specs of the function's arguments.
Endpoint = tuple[str, Callable[..., Tensors], list[tf.TensorSpec]]


def export_model(model: SegmentationModel, base: Path) -> Path:
    """Writes the SavedModel `base/VERSION`, where VERSION is one more than the largest there is; it appears whole.
    Returns its folder.

    Raises:
        InputError: TensorFlow cannot write it.
    """
    versions = [int(path.name) for path in base.iterdir() if path.name.isdigit()] if base.is_dir() else []
    folder = base / str(max(versions, default=0) + 1)
    temporary = temporary_path(folder)
    base.mkdir(parents=True, exist_ok=True)
    try:
        _write_saved_model(model, temporary)
        _write_warm_up(base.name, model.channels, temporary / WARM_UP)
        os.replace(temporary, folder)
    except tf.errors.OpError as error:
        raise InputError(folder, f"a model that cannot be written ({error.message})", "room and permission") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write_saved_model(model: SegmentationModel, folder: Path) -> None:
    """Writes the model with its signatures."""
    segmenter = Segmenter(model)
    image = tf.TensorSpec((None, None, None, None, model.channels), tf.float32, "image")
    half_image = tf.TensorSpec((None, None, None, None, model.channels), tf.float32, "half_image")

    def serve(image: tf.Tensor) -> Tensors:
        """Segments whole scans."""
        image = tf.debugging.assert_all_finite(image, "image: voxels that are NaN or infinite")
        labels, probabilities, failed = tf.map_fn(
            segmenter.segment,
            image,
            parallel_iterations=1,
            fn_output_signature=(
                tf.TensorSpec((None, None, None), tf.uint8),
                tf.TensorSpec((None, None, None, segmenter.classes), tf.float32),
                tf.TensorSpec((), tf.bool),
            ),
        )
        return {"labels": labels, "probabilities": probabilities, "outline_failed": failed}

    def patch(image: tf.Tensor) -> Tensors:
        """Segments patches by a model without stages."""
        return {"probabilities": model.draw(image, None)}

    def guided_patch(image: tf.Tensor, coarse_map: tf.Tensor) -> Tensors:
        """Segments patches by the last stage, given the coarse map there."""
        return {"probabilities": model.fuse(coarse_map, model.draw(image, coarse_map))}

    def coarse(half_image: tf.Tensor) -> Tensors:
        """Maps the brain in images at half resolution."""
        guides = model.coarse_map(pad_with_background(half_image, model.margin))
        return {"probabilities": tf.concat([1 - brain(guides), guides], axis=-1)}

    def describe() -> Tensors:
        """Tells what a client must know of the model."""
        preparation = json.dumps(dataclasses.asdict(model.config.preparation))
        return {
            "tissues": tf.constant(model.tissues),
            "modalities": tf.constant(model.modalities),
            "preparation": tf.constant(preparation),
            "takes_missing_modality": tf.constant(model.config.augmentation.may_lack_modality),
        }

    archive = keras.export.ExportArchive()
    archive.track(model)
    if model.has_coarse_stage:
        coarse_map = tf.TensorSpec((None, None, None, None, model.guides), tf.float32, "coarse_map")
        networks: list[Endpoint] = [("patch", guided_patch, [image, coarse_map]), ("coarse", coarse, [half_image])]
    else:
        networks = [("patch", patch, [image])]
    endpoints: list[Endpoint] = [("serving_default", serve, [image]), *networks, ("describe", describe, [])]
    for name, function, specs in endpoints:
        archive.add_endpoint(name, tf.function(function, input_signature=specs, autograph=False))
    archive.write_out(str(folder), verbose=False)


def _write_warm_up(name: str, modalities: int, path: Path) -> None:
    """Writes one request to segment a ball of noise."""
    rng = np.random.default_rng(0)
    shape = (WARM_UP_SIZE,) * 3
    distance = np.linalg.norm(np.indices(shape) - (WARM_UP_SIZE - 1) / 2, axis=0)
    image = rng.normal(800, 60, (1, *shape, modalities)) * (distance < WARM_UP_SIZE / 2)[None, ..., None]
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=name, signature_name="serving_default"),
        inputs={"image": tf.make_tensor_proto(image.astype(np.float32))},
    )
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
