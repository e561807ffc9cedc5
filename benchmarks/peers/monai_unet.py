"""A U-Net of MONAI for some iterations on a CPU.

    python -m benchmarks.peers.monai_unet BasicUNet|UNet FOLDER ITERATIONS THREADS [OUTPUT STATE]

FOLDER holds nnU-Net's layout. The network is MONAI's `BasicUNet` with its own widths, or the lighter `UNet` of its
tutorials; the loss cross-entropy and Dice, the optimiser AdamW, its rate falls to 0 along a cosine; crops
of 64³ in batches of two, changed as in `peers.monai_cache`, but each modality by itself, and not where there is
nothing. Told an OUTPUT, predicts the box around the brain of `imagesTs` into it, in half-overlapping windows, and keeps
in the file STATE what a killed training goes on with. Prints a line of JSON: patch, batch, parameters, minutes of
training, seconds of an iteration.
"""

import functools
import json
import math
import sys
from pathlib import Path

import monai
import nibabel as nib
import numpy as np
import torch
from monai import transforms
from monai.data import CacheDataset, DataLoader, list_data_collate
from monai.inferers import sliding_window_inference
from monai.losses import DiceLoss
from monai.networks.nets import BasicUNet, UNet
from monai.networks.utils import one_hot
from monai.transforms.utils import generate_spatial_bounding_box
from torch.nn.functional import cross_entropy
from torch.utils.data import RandomSampler

from benchmarks.peers.cohort import describe, images_of, read_subjects
from benchmarks.peers.iterations import summarise, time_each
from benchmarks.peers.monai_cache import intensities, turns
from benchmarks.peers.nets import count_parameters

PATCH, BATCH, WORKERS, RATE = 64, 2, 1, 1e-3
# What a turned patch shows lies within so many voxels around it, but for some corners.
MARGIN = 24
KEYS = ["image", "label"]
NETS = {
    "BasicUNet": functools.partial(BasicUNet, 3),
    "UNet": functools.partial(UNet, 3, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2),
}


def preparation(keys):
    return [
        transforms.LoadImaged(keys),
        transforms.EnsureChannelFirstd(keys),
        transforms.NormalizeIntensityd("image", nonzero=True, channel_wise=True),
    ]


def keep_nothing(item):
    """What was 0 before intensities were changed is 0 again, as it is in prediction."""
    return {**item, "image": item["image"] * (item["before"] != 0)}


def batches(folder, modalities):
    """Endless."""
    crops = [
        transforms.CropForegroundd(KEYS, source_key="image", select_fn=lambda x: x != 0, allow_smaller=True),
        transforms.SpatialPadd(KEYS, PATCH),
        transforms.BorderPadd(KEYS, MARGIN),
        transforms.RandCropByPosNegLabeld(KEYS, "label", PATCH + 2 * MARGIN, pos=9, neg=1, num_samples=BATCH),
    ]
    each = [f"image_{number}" for number in range(modalities)]
    changes = [
        *turns(PATCH),
        transforms.CopyItemsd("image", names="before"),
        transforms.SplitDimd("image"),
        *(change for key in each for change in intensities(key)),
        transforms.ConcatItemsd(each, "image"),
        keep_nothing,
    ]
    steps = transforms.Compose([*preparation(KEYS), *crops, *changes])
    dataset = CacheDataset(read_subjects(folder), steps, progress=False)
    # Of an epoch's end, with two subjects every second batch, the loader would make a halt.
    sampler = RandomSampler(dataset, replacement=True, num_samples=10**7)
    options = {"num_workers": WORKERS, "persistent_workers": True, "collate_fn": list_data_collate}
    yield from DataLoader(dataset, batch_size=1, sampler=sampler, **options)


def segmentation_loss(logits, labels, ignored):
    """Cross-entropy and Dice of classes `(batch, 1, i, j, k)` over voxels that are not to be ignored."""
    counted = labels != ignored
    # MONAI's MaskedDiceLoss takes what is masked for background that was missed.
    truth = one_hot(torch.where(counted, labels, 0), logits.shape[1]) * counted
    overlap = DiceLoss()(logits.softmax(1) * counted, truth)
    return cross_entropy(logits, labels[:, 0], ignore_index=ignored) + overlap


def train(net, stream, iterations, ignored, state):
    """Returns the seconds of each iteration."""
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-4, fused=True)

    def step(done):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((done + 1) / 100, (1 + math.cos(math.pi * done / iterations)) / 2)
        batch = next(stream)
        image = batch["image"].as_tensor().contiguous(memory_format=torch.channels_last_3d)
        labels = batch["label"].as_tensor().long()
        optimizer.zero_grad(set_to_none=True)
        segmentation_loss(net(image), labels, ignored).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    next(stream)
    return time_each(step, iterations, (net, optimizer), state)


def predict(net, folder, output):
    prepare = transforms.Compose(preparation(["image"]))
    for first in sorted((Path(folder) / "imagesTs").glob("*_0000.nii.gz")):
        files = images_of(folder, "Ts", first.name.removesuffix("_0000.nii.gz"))
        image = prepare({"image": files})["image"].as_tensor()
        corners = generate_spatial_bounding_box(image, lambda x: x != 0)
        box = tuple(slice(low, high) for low, high in zip(*corners, strict=True))
        maps = sliding_window_inference(
            image[:, *box][None], roi_size=(PATCH,) * 3, sw_batch_size=2, predictor=net, overlap=0.5, mode="gaussian"
        )
        labels = np.zeros(image.shape[1:], np.uint8)
        labels[box] = maps[0].argmax(0).numpy()
        path = Path(output) / first.name.replace("_0000", "")
        nib.save(nib.Nifti1Image(labels, nib.load(first).affine), path)


def main(name, folder, iterations, threads, output=None, state=None):
    monai.utils.set_determinism(0)
    torch.set_num_threads(int(threads))
    modalities, classes, ignored = describe(folder)
    net = NETS[name](in_channels=modalities, out_channels=classes)
    net = net.to(memory_format=torch.channels_last_3d)
    seconds = train(net, batches(folder, modalities), int(iterations), ignored, state)
    if output:
        Path(output).mkdir(parents=True, exist_ok=True)
        net.eval()
        with torch.inference_mode():
            predict(net, folder, output)
    figures = {"patch": [PATCH] * 3, "batch": BATCH, "parameters": count_parameters(net), **summarise(seconds)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
