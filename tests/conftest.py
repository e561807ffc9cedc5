"""Tiny cohorts on disk, and tiny configs."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from tf_msgan.config import Config, LossConfig, NetworkConfig, TrainingConfig
from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.splits import Split
from tf_msgan.data.volumes import write_analyze

ROOT = Path(__file__).parent.parent
ALBERT = ROOT.parent / "shared" / "data" / "albert-neonates"
CODES = np.array([0, 10, 150, 250], np.uint8)


def run_command(module, *arguments, **options):
    """Runs `python -m MODULE` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, **options
    )


def tiny_brain(seed, shape=(28, 33, 30)):
    """Nested ellipsoids: `(t1, t2, classes)`; WM inside GM inside CSF, each with its own intensities."""
    rng = np.random.default_rng(seed)
    centre = (np.array(shape) - 1) / 2 + rng.uniform(-1, 1, 3)
    radii = np.array(shape) / 2 - 2 + rng.uniform(-1, 1, 3)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm((grid - centre) / radii, axis=-1)
    classes = np.digitize(-distance, [-1, -0.85, -0.6]).astype(np.uint8)
    images = []
    for means in ((250, 500, 620), (800, 520, 450)):
        image = np.array([0, *means])[classes] + rng.normal(0, 15, shape)
        images.append(np.where(classes > 0, np.clip(np.rint(image), 1, 1000), 0).astype(np.int16))
    return (*images, classes)


def write_tiny_cohort(folder, labelled=5, subjects=7):
    for number in range(1, subjects + 1):
        t1, t2, classes = tiny_brain(number)
        write_analyze(folder / f"subject-{number}-T1.img", t1, (1, 1, 1))
        write_analyze(folder / f"subject-{number}-T2.img", t2, (1, 1, 1))
        if number <= labelled:
            write_analyze(folder / f"subject-{number}-label.img", CODES[classes], (1, 1, 1))


@pytest.fixture
def tiny_folder(tmp_path):
    """A folder of its own for tests that damage it."""
    write_tiny_cohort(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_cohort(folder)
    return read_cohort(folder, "iseg")


@pytest.fixture(scope="session")
def tiny_split():
    return Split(train=("1", "2"), validation=("3",), unlabeled=("6", "7"), test=("4", "5"))


@pytest.fixture(scope="session")
def tiny_config():
    return Config(
        network=NetworkConfig(coarse_width=4, noise_width=4, refine_width=4, discriminator_width=4, latent=4),
        loss=LossConfig(prediction_ramp_steps=0),
        training=TrainingConfig(epochs=2, steps_per_epoch=2, batch_size=2, patch=16, warmup_steps=0),
    )


@pytest.fixture(scope="session")
def albert():
    if not ALBERT.is_dir():
        pytest.skip(f"the real neonates are not at {ALBERT}")
    return read_cohort(ALBERT, "albert")
