"""Floating-point operations of a graph's convolutions."""

import math


def count_flops(function) -> int:
    """Counts the multiplications and additions of the 3-D convolutions that a concrete function computes, backward ones
    included.

    What no output and no assignment needs is not counted: TensorFlow does not compute it. Shapes must be known, and
    functions that it calls are not followed.
    """
    graph = function.graph
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    needed = set()
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return sum(map(_flops, needed))


def _flops(operation):
    if operation.type == "Conv3D":
        kernel, positions = operation.inputs[1].shape, operation.outputs[0].shape
    elif operation.type == "Conv3DBackpropInputV2":
        # The gradient of a convolution, and the forward pass of a transposed one: inputs are sizes, kernel, values.
        kernel, positions = operation.inputs[1].shape, operation.inputs[2].shape
    elif operation.type == "Conv3DBackpropFilterV2":
        # Inputs are values, sizes, gradient of the output.
        kernel, positions = operation.outputs[0].shape, operation.inputs[2].shape
        if kernel.rank is None or not kernel.is_fully_defined():
            raise ValueError(f"{operation.name}: kernel of unknown shape")
    else:
        return 0
    # A kernel is (…, Cin, Cout), of which the positions have Cout.
    return 2 * math.prod(positions[:-1]) * math.prod(kernel)
