"""Tiny cohorts on disk, and tiny configs."""

import contextlib
import dataclasses
import importlib
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import nibabel as nib
import numpy as np
import pytest

from tf_msgan.config import Augmentation, Config, LossConfig, NetworkConfig, TrainingConfig
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import Split
from tf_msgan.io.write_volumes import write_analyze

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
ALBERT = ROOT.parent / "shared" / "data" / "albert-neonates"
NO_NEONATES = "no folder"
CODES = np.array([0, 10, 150, 250], np.uint8)
# Oblique, with a flip and unequal voxels.
OBLIQUE = np.array([[-0.8, 0.1, 0.02, 40.5], [0.09, 0.9, -0.1, -33.25], [0.03, 0.12, 1.1, 7.125], [0, 0, 0, 1]])
# A table of labels for the tiny cohort.
TWO_TISSUES = "index\tname\n0\tbackground\n10\tCSF\n150\tbrain\n250\tbrain\n"


def run_command(module, *arguments, **options):
    """Runs `python -m MODULE` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, **options
    )


def call_command(command, *arguments):
    """Calls a command's module as a user does, but in this process. Returns its status; what it printed is for capfd to
    tell."""
    try:
        command.main([str(argument) for argument in arguments])
    except SystemExit as error:
        return error.code
    return 0


@pytest.fixture
def call(capfd):
    """As `run_command`, but in this process, which imports TensorFlow once for all."""

    def call(module, *arguments):
        capfd.readouterr()
        status = call_command(importlib.import_module(module), *arguments)
        return subprocess.CompletedProcess(arguments, status, *capfd.readouterr())

    return call


def assert_one_line_error(result, *words):
    """A command ended as it must on bad input: status 2, and one line on standard error that has all `words`."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert str(word) in result.stderr


def assert_refused(capfd, status, message):
    """As `assert_one_line_error`, of a command that was called: what was found, or expected, matches `message`."""
    out, err = capfd.readouterr()
    assert status == 2, out + err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err, err
    assert re.search(f"found .*({message})|({message}).*expected", err), err
    assert "expected" in err


@contextlib.contextmanager
def logged(name):
    """Gives the warnings that the packages called `name` log in the block."""
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger(name).addHandler(handler)
    try:
        yield messages
    finally:
        logging.getLogger(name).removeHandler(handler)


def flip_bit(path, at=None):
    """Damages a file by one bit, in its middle or in byte `at`."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 0x10
    path.write_bytes(content)


def edit_archive(path, member, edit):
    """Rewrites one member of a zip file."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = edit(content[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)


def repeatable_run(data, folder, epochs, batch_size):
    """Options of a tiny run over `data` whose weights can be compared bit by bit; its split goes into `folder`."""
    split = {"train": ["1", "2"], "validation": ["3"], "unlabeled": ["6", "7"], "test": ["4"]}
    (folder / "split.json").write_text(json.dumps(split))
    return (
        *("--data", data, "--split", folder / "split.json", "--deterministic", "--no-progress"),
        *("--epochs", epochs, "--steps-per-epoch", 2, "--batch-size", batch_size, "--patch", 16),
        # So that batches divide by as many devices as `batch_size` does, and both phases of a training are met.
        *("--set", "training.unlabelled_share=1", "--set", "training.labels_first=0.5"),
    )


def free_ports(count):
    """Ports of localhost that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def train(model, batch, steps=1, graph=False):
    """Trains on one batch again and again. Returns the logs. In a graph if asked, or if that pays: building one takes
    longer than a few steps without it."""
    import tensorflow as tf

    model.run_eagerly = not graph and steps <= 2
    data = tf.data.Dataset.from_tensors(batch).repeat()
    return model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False).history


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


def touch(folder, *names):
    """Empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def save_nifti(path, data, affine=None):
    """Writes `(i, j, k)` in its dtype as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def write_case(folder, names, number=1, affine=OBLIQUE):
    """Writes T1, T2 and the classes of a tiny brain by these names. Returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in zip(names, tiny_brain(number), strict=False):
        nib.save(nib.Nifti1Image(data, affine), folder / name)
    return [folder / name for name in names]


def segment(brain, *images, **named):
    """Without the warning that these voxels are not those of the training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return brain(*images, **named)


def cube(shape, start, side):
    """A mask of this shape that is true in a cube."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(at, at + side) for at in start)] = True
    return mask


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
def tiny_batch(tiny_cohort):
    """A batch of the training stream: two labelled and two unlabelled patches."""
    from tf_msgan.patches.scan_source import hold_scans
    from tf_msgan.patches.streams import training_stream

    labelled = hold_scans(load_scan(tiny_cohort, subject_id, with_labels=True) for subject_id in ("1", "2"))
    unlabelled = hold_scans(load_scan(tiny_cohort, subject_id, with_labels=False) for subject_id in ("6", "7"))
    return next(iter(training_stream(labelled, unlabelled, (16, 16, 16), (2, 2), 1.0, Augmentation(), seed=0)))


@pytest.fixture(scope="session")
def tiny_split():
    return Split(train=("1", "2"), validation=("3",), unlabeled=("6", "7"), test=("4", "5"))


@pytest.fixture
def old_run(tmp_path):
    """A run that an earlier version left after one of two epochs."""
    return Path(shutil.copytree(FIXTURES / "run-schema-0", tmp_path / "run"))


@pytest.fixture
def scan(tmp_path):
    """T1 and T2 of one subject, in a folder of their own, on a grid that is not the canonical one."""
    affine = np.array([[0, 1.5, 0, -20], [-1, 0, 0, 12], [0, 0, 1.2, -9], [0, 0, 0, 1]], np.float64)
    t1, t2, _ = tiny_brain(4)
    return [save_nifti(tmp_path / f"in/ann_{name}.nii.gz", data, affine) for name, data in (("T1", t1), ("T2", t2))]


def write_untrained_run(folder, cohort, split, config):
    """A run folder whose model has learned nothing, which is enough for whoever reads one."""
    from tf_msgan.runs.run_folder import begin_run, describe_run
    from tf_msgan.training.build_model import build_model

    begin_run(folder, describe_run(cohort, split, config, []), overwrite=False)
    build_model(cohort.modalities, cohort.labels.tissues, config).save(folder / "model.keras")
    return folder


@pytest.fixture(scope="session")
def untrained_run(tiny_cohort, tiny_split, tiny_config, tmp_path_factory):
    return write_untrained_run(tmp_path_factory.mktemp("untrained"), tiny_cohort, tiny_split, tiny_config)


@pytest.fixture(scope="session")
def unet_run(tiny_cohort, tiny_split, tiny_config, tmp_path_factory):
    """As `untrained_run`, where any model will do: this one is built in half the time."""
    config = dataclasses.replace(tiny_config, model="unet")
    return write_untrained_run(tmp_path_factory.mktemp("unet"), tiny_cohort, tiny_split, config)


@pytest.fixture(scope="session")
def tiny_config():
    return Config(
        network=NetworkConfig(
            coarse_width=4, noise_width=4, refine_width=4, unet_width=4, discriminator_width=4, latent=4
        ),
        loss=LossConfig(prediction_ramp_steps=0),
        training=TrainingConfig(
            epochs=2, steps_per_epoch=2, batch_size=2, labels_first=0.0, patch=16, lr=1e-3, warmup_steps=0
        ),
    )


@pytest.fixture(scope="session")
def albert():
    if not ALBERT.is_dir():
        pytest.skip(f"{NO_NEONATES} {ALBERT}")
    return read_cohort(ALBERT, "albert")


def pytest_collection_modifyitems(items):
    """Puts files that have long tests before the others, so that the last to end is a short one."""
    long = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in long)


def pytest_terminal_summary(terminalreporter):
    """Says how many tests looked for the real neonates in vain, which pass for no failures otherwise."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if skipped := sum(NO_NEONATES in reason for reason in reasons):
        terminalreporter.write_line(f"{skipped} tests on the real neonates were skipped: {NO_NEONATES} {ALBERT}")
