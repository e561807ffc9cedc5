"""Segments through a server: TF Serving, over gRPC, with a model that `tf_msgan.export` made."""

import json
import time
from collections.abc import Mapping, Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

from tf_msgan.config import Preparation
from tf_msgan.errors import InputError
from tf_msgan.inference.tissue_maps import TissueMaps

# A protocol buffer's own limit.
MOST_BYTES = 2**31 - 1
# Seconds between tries of a server that is away or busy; it may be starting again.
WAITS = (0.5, 1, 2, 4, 8, 16)
# What such a server answers.
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED)


class ServedSegmenter:
    """Segments through a server, with the maps that the exported model's `Segmenter` gives.

    Args:
        address: `HOST:PORT`.
        name: of the model.
        deadline: seconds for one scan.
        waits: seconds between tries.

    Attributes:
        tissues, modalities: names, as the server tells them.
        preparation: of its model.
        takes_missing_modality: whether it was trained with modalities dropped.

    Raises:
        InputError: the server does not answer, or has no such model of `tf_msgan.export`.
    """

    def __init__(self, address: str, name: str, deadline: float, waits: Sequence[float] = WAITS):
        self.address = address
        self.name = name
        self.deadline = deadline
        self.waits = waits
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(address, options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        described = self._predict("describe", {}, ("tissues", "modalities", "preparation", "takes_missing_modality"))
        self.tissues, self.modalities = (
            tuple(text.decode() for text in described[key]) for key in ("tissues", "modalities")
        )
        try:
            self.preparation = Preparation(**json.loads(described["preparation"].item()))
        except TypeError as error:
            raise self._other_model(f"the preparation of another version ({error})") from None
        self.takes_missing_modality = bool(described["takes_missing_modality"])

    def __call__(self, image: np.ndarray) -> TissueMaps:
        """Segments one scan as `Segmenter` does, without P(real) or an outline.

        Raises:
            InputError: the server refuses the scan, does not answer, or answers with other shapes.
        """
        most = max(image.nbytes, 4 * image[..., 0].size * (len(self.tissues) + 1) + image[..., 0].size)
        if most > MOST_BYTES:
            raise InputError(self.address, f"a scan of {image.shape}", "at most 2 GiB of maps; segment it with a RUN")
        outputs = self._predict(
            "serving_default", {"image": image[None]}, ("labels", "probabilities", "outline_failed")
        )
        labels, probabilities = outputs["labels"][0], outputs["probabilities"][0]
        shape = (*image.shape[:3], len(self.tissues) + 1)
        if labels.shape != shape[:3] or probabilities.shape != shape:
            raise InputError(self.address, f"maps of {probabilities.shape}", f"{shape}: the signature of {self.name}")
        return TissueMaps(
            labels=labels,
            probabilities=probabilities,
            p_real=None,
            outline=None,
            outline_failed=bool(outputs["outline_failed"][0]),
        )

    def _predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], expected: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Asks for a signature's outputs by the names that are `expected`; refuses an answer that lacks one."""
        request = predict_pb2.PredictRequest(
            model_spec=model_pb2.ModelSpec(name=self.name, signature_name=signature),
            inputs={key: tf.make_tensor_proto(value) for key, value in inputs.items()},
        )
        outputs = self._call(request).outputs
        missing = set(expected) - set(outputs)
        if missing:
            raise self._other_model(f"no {', '.join(sorted(missing))} in its answer")
        return {key: tf.make_ndarray(outputs[key]) for key in expected}

    def _call(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Sends a request, again and again while the server is away or busy; says in one line what it fails of."""
        for wait in (*self.waits, None):
            try:
                return self._service.Predict(request, timeout=self.deadline)
            except grpc.RpcError as error:
                if wait is None or error.code() not in PASSING:
                    raise self._failure(error) from None
                time.sleep(wait)

    def _failure(self, error: grpc.RpcError) -> InputError:
        """Returns what to raise for a call that failed."""
        code, details = error.code(), error.details()
        if code == grpc.StatusCode.NOT_FOUND:
            return InputError(self.address, f"no model {self.name} ({details})", "one it serves")
        if "Serving signature name" in details:
            return self._other_model(details)
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return InputError(self.address, f"no answer in {self.deadline:g} s", "a longer --deadline")
        return InputError(self.address, f"{code.name} ({details})", "an answer from TF Serving's gRPC port")

    def _other_model(self, found: str) -> InputError:
        """Returns what to raise for a model that `tf_msgan.export` did not make."""
        return InputError(f"{self.name} at {self.address}", found, "a model made by tf_msgan.export")
