"""What a whole volume costs: `python -m benchmarks.whole_volume RUN [--peers .venv-peers/bin/python]`.

Seconds, and peak memory above that at rest, for an infant phantom in a field of 144×192×256 voxels at 1 mm, two
modalities: for multi-stage; for a plain U-Net of the refiner's size over the whole grid, in the same graph of tiles;
for that U-Net, with the same weights, in PyTorch through MONAI's `sliding_window_inference` and TorchIO's
`GridSampler`, over tiles of the same size, and through MONAI over the brain's box alone, as multi-stage does by itself
and a user can do by hand; and, for scale, for a network of SynthSeg's size on one modality in one
pass. Each is a process of its own; they take turns; figures are medians. A network's weights do not matter to its time:
the U-Net is untrained. The share of voxels to which the tools give the label that our U-Net gives shows that they do
the same work.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.provenance import peer_versions, provenance
from benchmarks.resident import peak_gib, rest_gib
from benchmarks.timing import seconds_of_volume
from benchmarks.turns import take_turns
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.io.atomic_files import write_json

SHAPE = (144, 192, 256)
MULTI_STAGE, UNET = "multi-stage", "U-Net, whole grid"
SYNTHSEG = "SynthSeg-sized, one pass"
BOXED = "same U-Net, MONAI, brain's box"
PEERS = {"same U-Net, MONAI": "monai", "same U-Net, TorchIO": "torchio"}
# Of multi-stage's seconds in those of each.
TARGETS = {UNET: 0.5} | dict.fromkeys([*PEERS, BOXED], 0.4)
MOST_MEMORY_GIB = 1.5e9 / 2**30


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_volume", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with benchmarks/requirements-peers.txt")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "SCRATCH"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def phantom_image():
    """Returns a phantom's raw T1 and T2 in the middle of the field, as in iSEG."""
    import numpy as np

    from tf_msgan.phantoms.infant import make_infant

    phantom = make_infant(1, spacing=1, seed=0)
    image = np.zeros((*SHAPE, 2), np.float32)
    start = [(wide - narrow) // 2 for wide, narrow in zip(SHAPE, phantom.t1.shape, strict=True)]
    low = [max(-s, 0) for s in start]
    cut = tuple(slice(n, n + wide) for n, wide in zip(low, SHAPE, strict=True))
    inside = np.stack([phantom.t1, phantom.t2], axis=-1)[cut]
    at = tuple(slice(max(s, 0), max(s, 0) + size) for s, size in zip(start, inside.shape[:3], strict=True))
    image[at] = inside
    return image


def make_unet():
    import keras

    from tf_msgan.networks.unet import build_unet

    keras.utils.set_random_seed(0)
    return build_unet(modalities=2, classes=4)


def over_whole_grid(unet):
    """Returns a graph that gives a U-Net's labels over every tile of the grid, as multi-stage goes through its
    tiles."""
    import tensorflow as tf

    from tf_msgan.config import PRESETS
    from tf_msgan.inference.segmenter import tiles_at_once
    from tf_msgan.inference.tiles import Tiling, map_tiles

    tiling = Tiling.of(PRESETS["best"].patch)
    at_once = tiles_at_once(tiling.tile)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2))], autograph=False)
    def segment(image):
        shape = tf.shape(image)[:3]
        volume, count = tiling.pad(image)

        def finish(average, covered, first):
            return average

        maps = map_tiles(
            lambda x: unet(x, training=False),
            channels=4,
            volume=volume,
            gates=tf.ones(count, tf.bool),
            tiling=tiling,
            at_once=at_once,
            finish=finish,
        )
        return tf.argmax(maps[: shape[0], : shape[1], : shape[2]], axis=-1)

    return segment


def make_segment(run, what):
    """Returns what is timed: a function of an image `(i, j, k, modality)`, and the parameters of its networks."""
    import tensorflow as tf

    from benchmarks.synthseg_sized import build_synthseg_sized
    from tf_msgan.inference.segmenter import Segmenter
    from tf_msgan.runs.trained_model import load_model

    if what == SYNTHSEG:
        network = build_synthseg_sized()
        in_one_pass = tf.function(lambda image: tf.argmax(network(image[None, ..., :1], training=False)[0], axis=-1))
        return lambda image: in_one_pass(tf.constant(image)).numpy(), network.count_params()
    if what == UNET:
        unet = make_unet()
        segment = over_whole_grid(unet)
        return lambda image: segment(image).numpy(), unet.count_params()
    model = load_model(run)
    segmenter = Segmenter(model)
    used = (model.coarse_average, model.refine_average)
    return lambda image: segmenter(image).labels, sum(network.count_params() for network in used)


def measure(run, threads, what, scratch):
    """Measures the seconds of the volume after a warm-up, memory at the peak above that before it, and parameters."""
    import numpy as np
    import tensorflow as tf

    from tf_msgan.cli.threads import set_threads

    set_threads(threads)
    image = np.load(Path(scratch) / "image.npy")
    segment, parameters = make_segment(run, what)
    tf.zeros(1).numpy()
    rest = rest_gib()
    # A network in one pass is another graph for each size.
    seconds, labels = seconds_of_volume(segment, image, image if what == SYNTHSEG else None)
    np.save(Path(scratch) / f"{what}.npy", labels.astype(np.uint8))
    return {"seconds": seconds, "memory_gib": peak_gib() - rest, "parameters": parameters}


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    if options.measure:
        print(json.dumps(measure(options.run, options.threads, *options.measure)))
        return
    print(provenance(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        figures, agreement = compare(options, Path(scratch))
    print(f"\n{'':<32}{'parameters':>12}{'seconds':>10}{'GiB above rest':>16}")
    for what, row in figures.items():
        print(f"{what:<32}{row['parameters']:>12,}{row['seconds']:>10.1f}{row['memory_gib']:>16.2f}")
    ours = figures[MULTI_STAGE]
    for what, target in TARGETS.items():
        if what in figures:
            ratio = ours["seconds"] / figures[what]["seconds"]
            print(f"multi-stage / {what}: {ratio:.2f} (target at most {target})")
    for what, share in agreement.items():
        print(f"{what}: the label of our U-Net in {share:.5f} of the voxels")
    print(f"memory of multi-stage: {ours['memory_gib']:.2f} GiB (target at most {MOST_MEMORY_GIB:.2f})")
    if options.json:
        about = {"provenance": provenance(), "peers": options.peers and peer_versions(options.peers)}
        write_json(
            options.json,
            {**about, "shape": SHAPE, "targets": TARGETS, "figures": figures, "agreement": agreement},
        )


def compare(options, scratch):
    """Returns figures by name, and the share of voxels to which each peer gives the label that our U-Net gives."""
    import numpy as np
    from scipy.ndimage import find_objects

    from tf_msgan.config import PRESETS
    from tf_msgan.inference.segmenter import tiles_at_once
    from tf_msgan.inference.tiles import Tiling

    weights, tiling, phantom = scratch / "weights.npz", Tiling.of(PRESETS["best"].patch), phantom_image()
    np.save(scratch / "image.npy", phantom)
    # As the graph pads it: a tool that tiles it unpadded moves its last tiles back.
    np.save(scratch / "padded.npy", tiling.pad(phantom)[0].numpy())
    np.savez(weights, *make_unet().get_weights())
    this = [sys.executable, "-m", "benchmarks.whole_volume", options.run, "--threads", options.threads, "--measure"]
    commands = {what: [*this, what, scratch] for what in (MULTI_STAGE, UNET, SYNTHSEG)}
    (box,) = find_objects(phantom.any(axis=-1).astype(np.uint8))
    np.save(scratch / "box.npy", phantom[box])
    peers = {what: (tool, scratch / "padded.npy") for what, tool in PEERS.items()} | {
        BOXED: ("monai", scratch / "box.npy")
    }
    for what, (tool, seen) in peers.items() if options.peers else ():
        that = [options.peers, "-m", "benchmarks.peers.window", tool, options.threads, seen, weights]
        commands[what] = [*that, tiling.tile[0], tiling.stride[0], tiles_at_once(tiling.tile), scratch / f"{what}.npy"]
    figures = take_turns(commands, options.rounds, options.threads)
    labels = {what: np.load(scratch / f"{what}.npy") for what in (UNET, *PEERS) if what in figures}
    ours, where = labels.pop(UNET), tuple(slice(n) for n in SHAPE)
    return figures, {what: float(np.mean(found[where] == ours)) for what, found in labels.items()}


if __name__ == "__main__":
    main()
