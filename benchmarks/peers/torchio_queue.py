"""Patches through TorchIO: `python -m benchmarks.peers.torchio_queue FOLDER SECONDS`.

As its documentation has it: random transforms of whole subjects, which lie in memory, then a `Queue` of patches that a
`LabelSampler` draws, eight of a subject. Prints a line of JSON.
"""

import json
import sys
import time

import torch
import torchio as tio

from benchmarks.peers.cohort import read_subjects
from benchmarks.resident import peak_gib
from benchmarks.timing import rate
from tf_msgan.config import Augmentation

PATCH, BATCH, WORKERS = 32, 4, 2
PATCHES_A_SUBJECT, QUEUE = 8, 64
# Nine in ten on tissue.
CENTRES = {0: 0.1, 1: 0.3, 2: 0.3, 3: 0.3}
# What is changed is changed as strongly and as often as by this project.
OURS = Augmentation()


def transforms():
    return tio.Compose(
        [
            tio.RandomFlip(axes=(0,), flip_probability=OURS.mirror),
            tio.RandomAffine(scales=OURS.scale, degrees=OURS.rotation_degrees, p=OURS.warp_share),
            tio.RandomBiasField(coefficients=OURS.bias, order=2),
            tio.RandomGamma(log_gamma=OURS.gamma),
            tio.Lambda(contrast_and_brightness, types_to_apply=[tio.INTENSITY]),
            tio.RandomNoise(std=(0, OURS.noise)),
        ]
    )


def is_brain(image):
    return image != 0


def contrast_and_brightness(image):
    contrast, brightness = torch.empty(2, len(image), 1, 1, 1).uniform_(-1, 1)
    return image * (1 + OURS.contrast * contrast) + OURS.brightness * brightness


def load(files):
    subject = tio.Subject(image=tio.ScalarImage(files["image"]), label=tio.LabelMap(files["label"]))
    cropped = tio.CropOrPad(mask_name="label")(tio.ZNormalization(masking_method=is_brain)(subject))
    cropped.load()
    return cropped


def main(folder, seconds):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    start = time.perf_counter()
    subjects = [load(files) for files in read_subjects(folder)]
    loaded = time.perf_counter() - start
    dataset = tio.SubjectsDataset(subjects, transform=transforms())
    sampler = tio.LabelSampler(PATCH, "label", CENTRES)
    queue = tio.Queue(dataset, QUEUE, PATCHES_A_SUBJECT, sampler, num_workers=WORKERS)
    loader = tio.SubjectsLoader(queue, batch_size=BATCH, num_workers=0)

    def endless():
        while True:
            yield from loader

    batches = endless()
    figures = {"patches_per_second": rate(lambda: len(next(batches)["image"][tio.DATA]), float(seconds), warm_up=15)}
    print(json.dumps({**figures, "seconds_to_load": loaded, "peak_gib": peak_gib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
