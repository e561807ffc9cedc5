"""How the cost of a whole volume grows: `python -m benchmarks.growth_volume RUN`.

Seconds of the segmentation of one infant phantom at 1 mm, two modalities, in boxes of 1, 2, 4 and 8 times the volume,
and of the phantom resampled to 0.5, 1, 2 and 4 times the voxels. In turns, after a warm-up on the smallest; figures are
medians.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import find_objects, zoom

from benchmarks.provenance import provenance
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.io.atomic_files import write_json
from tf_msgan.phantoms.infant import make_infant
from tf_msgan.runs.trained_model import load_model

BOXES = (1, 2, 4, 8)
BRAINS = (0.5, 1, 2, 4)


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth_volume", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", help="write the figures here too")
    return parser.parse_args(argv)


def in_box(brain, times):
    """Returns the brain in the middle of zeros, in a box of `times` its volume."""
    wide = [round(n * times ** (1 / 3)) for n in brain.shape[:3]]
    padding = [((w - n) // 2, w - n - (w - n) // 2) for w, n in zip(wide, brain.shape[:3], strict=True)]
    return np.pad(brain, [*padding, (0, 0)])


def resampled(brain, times):
    """Returns the brain with `times` as many voxels; nearest neighbours, so that its mask stays sharp."""
    return zoom(brain, [times ** (1 / 3)] * 3 + [1], order=0)


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    phantom = make_infant(1, spacing=1, seed=0)
    brain = np.stack([phantom.t1, phantom.t2], axis=-1).astype(np.float32)
    brain = brain[find_objects((brain[..., 0] != 0).astype(np.uint8))[0]]
    images = {("box", n): in_box(brain, n) for n in BOXES} | {("brain", n): resampled(brain, n) for n in BRAINS}

    segmenter = Segmenter(load_model(options.run))
    seconds = {key: [] for key in images}
    segmenter(images["brain", min(BRAINS)])
    for _ in range(options.rounds):
        for key, image in images.items():
            start = time.perf_counter()
            segmenter(image)
            seconds[key].append(time.perf_counter() - start)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    voxels = {key: int(np.count_nonzero(image[..., 0])) for key, image in images.items()}

    print(provenance())
    print(f"{'':<6}{'times':>6}{'box, voxels':>14}{'brain, voxels':>14}{'seconds':>9}")
    for (what, times), value in medians.items():
        size = int(np.prod(images[what, times].shape[:3]))
        print(f"{what:<6}{times:>6}{size:>14,}{voxels[what, times]:>14,}{value:>9.2f}")
    growth = medians["box", 8] / medians["box", 1]
    sizes, times = ([values["brain", n] for n in BRAINS] for values in (voxels, medians))
    slope = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
    print(f"8 times the box takes {growth:.2f} times as long (target at most 1.25)")
    print(f"log-log slope over the brain's voxels: {slope:.2f} (target at most 1.05)")
    if options.json:
        rows = [{"what": w, "times": t, "voxels": voxels[w, t], "seconds": s} for (w, t), s in medians.items()]
        write_json(options.json, {"provenance": provenance(), "rows": rows, "box_growth": growth, "slope": slope})


if __name__ == "__main__":
    main()
