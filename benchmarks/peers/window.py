"""One volume through MONAI or TorchIO.

    python -m benchmarks.peers.window monai|torchio THREADS IMAGE.npy WEIGHTS.npz TILE STRIDE AT_ONCE LABELS.npy

This project's U-Net in PyTorch, with the weights given, over cubic tiles of TILE voxels a side that lie STRIDE apart,
AT_ONCE in a batch, weighted towards their middle. Writes the labels; prints a line of JSON: seconds of the volume after
a warm-up on its middle, memory at the peak above that at rest, parameters.
"""

import json
import sys

import numpy as np
import torch
import torchio as tio
from monai.inferers import sliding_window_inference

from benchmarks.peers.nets import SameUNet, count_parameters
from benchmarks.resident import peak_gib, rest_gib
from benchmarks.timing import seconds_of_volume


def through_monai(net, image, tile, stride, at_once):
    overlap = 1 - stride / tile
    maps = sliding_window_inference(image[None], (tile,) * 3, at_once, net, overlap=overlap, mode="gaussian")
    return maps[0].argmax(0)


def through_torchio(net, image, tile, stride, at_once):
    subject = tio.Subject(image=tio.ScalarImage(tensor=image))
    sampler = tio.GridSampler(subject, tile, tile - stride)
    aggregator = tio.GridAggregator(sampler, overlap_mode="hann")
    for batch in tio.SubjectsLoader(sampler, batch_size=at_once):
        aggregator.add_batch(net(batch["image"][tio.DATA]), batch[tio.LOCATION])
    return aggregator.get_output_tensor().argmax(0)


TOOLS = {"monai": through_monai, "torchio": through_torchio}


def main(tool, threads, image, weights, tile, stride, at_once, labels):
    torch.set_num_threads(int(threads))
    unet = SameUNet().load_keras(weights).eval().to(memory_format=torch.channels_last_3d)

    def net(x):
        return unet(x.contiguous(memory_format=torch.channels_last_3d)).softmax(1)

    def segment(volume):
        return TOOLS[tool](net, volume.movedim(-1, 0).contiguous(), *map(int, (tile, stride, at_once)))

    volume = torch.from_numpy(np.load(image))
    rest = rest_gib()
    with torch.inference_mode():
        seconds, found = seconds_of_volume(segment, volume)
    np.save(labels, found.numpy().astype(np.uint8))
    figures = {"seconds": seconds, "memory_gib": peak_gib() - rest, "parameters": count_parameters(unet)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
