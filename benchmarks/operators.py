"""Where the time of a graph goes, by kind of operator."""

import collections
import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2


def operator_shares(function, repeats: int = 5) -> dict[str, float]:
    """Returns shares, 0..1, of the time in a function's operators, the largest first, as TensorFlow's profiler sees it;
    convolutions of all kinds together. Operators may run beside each other."""
    function()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(repeats):
            function()
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # An operator is named "where/it/is:Kind", all else otherwise.
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and not name.endswith(":") and kind.isidentifier():
                    seconds["convolutions" if "Conv3D" in kind else kind] += event.duration_ps
    total = sum(seconds.values())
    return {kind: duration / total for kind, duration in seconds.most_common()}
