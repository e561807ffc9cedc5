"""A gRPC server with TF Serving's own `PredictionService` protocol around the newest version of a SavedModel.

`python tests/prediction_server.py BASE NAME PORT` stands in for TF Serving, whose server comes in no Python package.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, base, name):
        versions = [path for path in Path(base).iterdir() if path.name.isdigit()]
        self.model = tf.saved_model.load(str(max(versions, key=lambda path: int(path.name))))
        self.name = name

    def Predict(self, request, context):
        name, signature = request.model_spec.name, request.model_spec.signature_name
        if name != self.name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})")
        if signature not in self.model.signatures:
            message = f'Serving signature name: "{signature}" not found in signature def'
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)
        try:
            inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
            outputs = self.model.signatures[signature](**inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


def main(base, name, port):
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    # Two scans at once, the rest wait: as TF Serving with as many threads.
    server = grpc.server(ThreadPoolExecutor(2), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(base, name), server)
    if not server.add_insecure_port(f"localhost:{port}"):
        sys.exit(f"port {port} is taken")
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
