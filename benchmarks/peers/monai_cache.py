"""Patches through MONAI: `python -m benchmarks.peers.monai_cache FOLDER SECONDS`.

As its tutorials have it: `CacheDataset` keeps what is not random, `RandCropByPosNegLabeld` draws four crops of a
subject, and the rest changes these. Prints a line of JSON.
"""

import json
import math
import sys
import time

import monai
import torch
from monai import transforms
from monai.data import CacheDataset, DataLoader, list_data_collate

from benchmarks.peers.cohort import read_subjects
from benchmarks.resident import peak_gib
from benchmarks.timing import rate
from tf_msgan.config import Augmentation

PATCH, BATCH, WORKERS = 32, 4, 2
OURS = Augmentation()
BOTH = ["image", "label"]


def turns(size=None):
    """As strong as this project's, and as often; so are `intensities`. Gives the middle `size`³, by default all."""
    return [
        transforms.RandFlipd(BOTH, prob=OURS.mirror, spatial_axis=0),
        transforms.RandAffined(
            BOTH,
            prob=OURS.warp_share,
            rotate_range=[math.radians(OURS.rotation_degrees)] * 3,
            scale_range=[OURS.scale] * 3,
            spatial_size=size and [size] * 3,
            mode=["bilinear", "nearest"],
            padding_mode="border",
        ),
    ]


def intensities(key="image"):
    return [
        transforms.RandBiasFieldd(key, prob=1, degree=2, coeff_range=(-OURS.bias, OURS.bias)),
        transforms.RandScaleIntensityd(key, factors=OURS.contrast, prob=1),
        transforms.RandShiftIntensityd(key, offsets=OURS.brightness, prob=1),
        transforms.RandAdjustContrastd(key, prob=1, gamma=(math.exp(-OURS.gamma), math.exp(OURS.gamma))),
        transforms.RandGaussianNoised(key, prob=1, std=OURS.noise),
    ]


def pipeline():
    return transforms.Compose(
        [
            transforms.LoadImaged(BOTH),
            transforms.EnsureChannelFirstd(BOTH),
            transforms.NormalizeIntensityd("image", nonzero=True, channel_wise=True),
            transforms.CropForegroundd(BOTH, source_key="label", allow_smaller=True),
            transforms.RandCropByPosNegLabeld(BOTH, "label", PATCH, pos=9, neg=1, num_samples=BATCH),
            *turns(),
            *intensities(),
        ]
    )


def main(folder, seconds):
    monai.utils.set_determinism(0)
    torch.set_num_threads(1)
    start = time.perf_counter()
    dataset = CacheDataset(read_subjects(folder), pipeline(), num_workers=2, progress=False)
    loaded = time.perf_counter() - start
    # Four patches of one subject are a batch.
    loader = DataLoader(
        dataset, batch_size=1, shuffle=True, num_workers=WORKERS, persistent_workers=True, collate_fn=list_data_collate
    )

    def endless():
        while True:
            yield from loader

    batches = endless()
    figures = {"patches_per_second": rate(lambda: len(next(batches)["image"]), float(seconds))}
    print(json.dumps({**figures, "seconds_to_load": loaded, "peak_gib": peak_gib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
