"""One volume through MONAI: `python -m benchmarks.monai_window IMAGE.npy`, in an environment of requirements-peers.txt.

Prints a line of JSON: seconds of one volume after one of warm-up, memory at the peak above that at rest, parameters,
versions. Tiles of 64³ that overlap by half, Gaussian weights, two at a time; a `BasicUNet` of the
refiner's size.
"""

import json
import sys
import time

import monai
import numpy as np
import torch
from monai.inferers import sliding_window_inference
from monai.networks.nets import BasicUNet

from benchmarks.resident import peak_gib, rest_gib

# 1.82 million parameters, as many as the refiner to 1 %.
FEATURES = (18, 18, 36, 72, 144, 18)


def main(path):
    torch.manual_seed(0)
    net = BasicUNet(spatial_dims=3, in_channels=2, out_channels=4, features=FEATURES).eval()
    image = torch.from_numpy(np.load(path)).movedim(-1, 0)[None].contiguous()
    rest = rest_gib()
    with torch.inference_mode():
        for _ in range(2):
            start = time.perf_counter()
            sliding_window_inference(image, (64, 64, 64), 2, net, overlap=0.5, mode="gaussian").softmax(1).argmax(1)
            seconds = time.perf_counter() - start
    parameters = sum(p.numel() for p in net.parameters())
    versions = {"torch": torch.__version__, "monai": monai.__version__}
    print(json.dumps({"seconds": seconds, "memory_gib": peak_gib() - rest, "parameters": parameters, **versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
