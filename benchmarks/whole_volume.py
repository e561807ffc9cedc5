"""What a whole volume costs: `python -m benchmarks.whole_volume RUN [--peers .venv-peers/bin/python]`.

Seconds, and peak memory above that at rest, for an infant phantom in a field of 144×192×256 voxels at 1 mm, two
modalities, tiles of 64³ that overlap by half: for multi-stage (with and without gates), for a plain U-Net of the
refiner's size over the whole grid, in the same graph of tiles, and, in a Python that has PyTorch and MONAI, for MONAI's
`sliding_window_inference` with a U-Net of that size. Each is a process of its own; they take turns; figures are their
medians.
A network's weights do not matter to its time, so both U-Nets are untrained.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import provenance
from benchmarks.resident import peak_gib, rest_gib
from tf_msgan.files import write_json

SHAPE = (144, 192, 256)
TARGETS = {"U-Net, whole grid": 0.5, "MONAI, whole grid": 0.4}
MOST_MEMORY_GIB = 1.5e9 / 2**30


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_volume", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with benchmarks/requirements-peers.txt")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "IMAGE"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def phantom_image():
    """A phantom's raw T1 and T2 in the middle of the field, as in iSEG."""
    import numpy as np

    from tf_msgan.data.phantoms.infant import make_infant

    phantom = make_infant(1, 1, 0)
    image = np.zeros((*SHAPE, 2), np.float32)
    start = [(wide - narrow) // 2 for wide, narrow in zip(SHAPE, phantom.t1.shape, strict=True)]
    low = [max(-s, 0) for s in start]
    cut = tuple(slice(n, n + wide) for n, wide in zip(low, SHAPE, strict=True))
    inside = np.stack([phantom.t1, phantom.t2], axis=-1)[cut]
    at = tuple(slice(max(s, 0), max(s, 0) + size) for s, size in zip(start, inside.shape[:3], strict=True))
    image[at] = inside
    return image


def make_whole_grid_unet():
    """A U-Net's labels over every tile of the grid, in the graph that multi-stage uses for its tiles."""
    import tensorflow as tf

    from tf_msgan.config import PRESETS
    from tf_msgan.inference.segmenter import tiles_at_once
    from tf_msgan.inference.tiles import map_tiles, pad_to_tiles
    from tf_msgan.models.unet import build_unet

    unet, tile = build_unet(2, 4), PRESETS["best"].patch
    at_once = tiles_at_once(tile)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2))], autograph=False)
    def segment(image):
        shape = tf.shape(image)[:3]
        volume, count = pad_to_tiles(image, tile)

        def finish(average, covered, number):
            return average

        maps = map_tiles(lambda x: unet(x, training=False), 4, volume, tf.ones(count, tf.bool), tile, at_once, finish)
        return tf.argmax(maps[: shape[0], : shape[1], : shape[2]], axis=-1)

    return lambda image: segment(image).numpy()


def measure(run, what, image):
    """Seconds of one volume after one of warm-up, and memory at the peak above that before the first."""
    import numpy as np
    import tensorflow as tf

    from tf_msgan.inference.segmenter import Segmenter
    from tf_msgan.training.run import load_model

    image = np.load(image)
    if what.startswith("U-Net"):
        segment = make_whole_grid_unet()
    else:
        segment = Segmenter(load_model(run), gated="ungated" not in what)
    tf.zeros(1).numpy()
    rest = rest_gib()
    segment(image)
    start = time.perf_counter()
    segment(image)
    return {"seconds": time.perf_counter() - start, "memory_gib": peak_gib() - rest}


def main(argv=None):
    options = parse(argv)
    if options.measure:
        print(json.dumps(measure(options.run, *options.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder) / "image.npy")


def compare(options, image):
    import numpy as np

    np.save(image, phantom_image())
    this = [sys.executable, "-m", "benchmarks.whole_volume", str(options.run), "--measure"]
    commands = {
        what: [*this, what, str(image)] for what in ("multi-stage", "multi-stage, ungated", "U-Net, whole grid")
    }
    if options.peers:
        commands["MONAI, whole grid"] = [options.peers, "-m", "benchmarks.monai_window", str(image)]
    print(provenance(), flush=True)
    rounds = {what: [] for what in commands}
    for _ in range(options.rounds):
        for what, command in commands.items():
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rounds[what].append(json.loads(result.stdout.splitlines()[-1]))
    figures = {
        what: {key: statistics.median(figures[key] for figures in each) for key in ("seconds", "memory_gib")}
        for what, each in rounds.items()
    }
    print(f"\n{'':<24}{'seconds':>10}{'GiB above rest':>16}")
    for what, values in figures.items():
        print(f"{what:<24}{values['seconds']:>10.1f}{values['memory_gib']:>16.2f}")
    ours = figures["multi-stage"]
    for what, target in TARGETS.items():
        if what in figures:
            ratio = ours["seconds"] / figures[what]["seconds"]
            print(f"multi-stage / {what}: {ratio:.2f} (target at most {target})")
    print(f"memory of multi-stage: {ours['memory_gib']:.2f} GiB (target at most {MOST_MEMORY_GIB:.2f})")
    if options.json:
        write_json(options.json, {"provenance": provenance(), "shape": SHAPE, "rounds": rounds, "medians": figures})


if __name__ == "__main__":
    main()
