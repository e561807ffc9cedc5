"""`predict --serving` against a server of TF Serving's own protocol, on real files."""

import dataclasses
import subprocess
import sys
import threading
import time

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT, assert_one_line_error, free_ports, run_command
from tf_msgan.errors import InputError
from tf_msgan.inference import serving
from tf_msgan.inference.saved_model import export_model
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.inference.serving import ServedSegmenter
from tf_msgan.runs.trained_model import load_model

pytestmark = pytest.mark.integration


class Server:
    """The server as a process, which can be killed and started again on its port."""

    def __init__(self, base):
        self.base = base
        (self.port,) = free_ports(1)
        self.address = f"localhost:{self.port}"
        self.start()

    def start(self):
        command = [sys.executable, ROOT / "tests" / "prediction_server.py", self.base, "brain", str(self.port)]
        self.process = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout.readline() == "serving\n"

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(untrained_run, tmp_path_factory):
    base = tmp_path_factory.mktemp("saved_models") / "brain"
    export_model(load_model(untrained_run), base)
    server = Server(base)
    yield server
    server.kill()


def image_of(size, seed):
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size + 3, size - 2, 2), np.float32)
    image[3:-2, 4:-4, 2:-3] = rng.normal(800, 60, image[3:-2, 4:-4, 2:-3].shape)
    return image


def test_the_same_files_as_from_the_run(server, untrained_run, tiny_cohort, tmp_path):
    files = tiny_cohort.subjects["4"].images
    options = ("--input", *files, "--entropy", "--figure", "--no-progress", "--output")
    local = run_command("tf_msgan.predict", untrained_run, *options, tmp_path / "local")
    assert local.returncode == 0, local.stderr
    serving = ("--serving", server.address, "--name", "brain")
    served = run_command("tf_msgan.predict", *serving, *options, tmp_path / "served")
    assert served.returncode == 0, served.stderr
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("local", "served")]
    assert names[0] == names[1]
    for kind, exact in (("dseg", True), ("probseg", False), ("entropy", False)):
        one, other = (nib.load(tmp_path / folder / f"subject-4_{kind}.nii.gz") for folder in ("local", "served"))
        one, other = np.asanyarray(one.dataobj), np.asanyarray(other.dataobj)
        assert np.array_equal(one, other) if exact else np.allclose(one, other, atol=1e-5)
    volumes = [(tmp_path / folder / "subject-4_volumes.tsv").read_text() for folder in ("local", "served")]
    assert volumes[0].splitlines()[0] == volumes[1].splitlines()[0]


def test_maps_equal_the_local_ones(server, untrained_run):
    served = ServedSegmenter(server.address, "brain", 60)
    assert served.tissues == ("CSF", "GM", "WM") and served.modalities == ("T1", "T2")
    image = image_of(40, 0)
    local, remote = Segmenter(load_model(untrained_run))(image), served(image)
    assert np.array_equal(local.labels, remote.labels)
    assert np.allclose(local.probabilities, remote.probabilities, atol=1e-5)


def test_a_server_that_restarts_is_waited_for(server, untrained_run):
    """Killed while four clients ask, and started again: every answer is the local one."""
    # One of its own, that none else asks.
    server = Server(server.base)
    images = [image_of(24 + 2 * n, n) for n in range(4)]
    local = Segmenter(load_model(untrained_run))
    expected = [local(image).labels for image in images]
    answers, errors = [0] * 4, []

    def ask(n):
        client = ServedSegmenter(server.address, "brain", 60)
        end = time.monotonic() + 12
        while time.monotonic() < end:
            try:
                assert np.array_equal(client(images[n]).labels, expected[n])
                answers[n] += 1
            except Exception as error:
                errors.append(error)
                raise

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(3)
    server.kill()
    before = sum(answers)
    server.start()
    for thread in threads:
        thread.join()
    server.kill()
    assert not errors
    assert min(answers) > 0 and sum(answers) > before


def test_what_is_wrong_is_said(server, tiny_cohort, tmp_path, call):
    (closed,) = free_ports(1)
    with pytest.raises(InputError, match=f"localhost:{closed}: found UNAVAILABLE"):
        ServedSegmenter(f"localhost:{closed}", "brain", 5, waits=(0.1,))
    with pytest.raises(InputError, match=r"no model heart \(Servable not found"):
        ServedSegmenter(server.address, "heart", 5)
    client = ServedSegmenter(server.address, "brain", 60)
    bad = image_of(24, 0)
    bad[8, 8, 8, 1] = np.nan
    with pytest.raises(InputError, match=r"INVALID_ARGUMENT .*voxels that are NaN"):
        client(bad)
    client.deadline = 0.001
    with pytest.raises(InputError, match=r"no answer in 0\.001 s; expected a longer --deadline"):
        client(image_of(40, 0))

    files = ("--input", *tiny_cohort.subjects["4"].images, "--output", tmp_path / "out")
    serving = ("--serving", server.address, "--name", "brain")
    for arguments, words in (
        ((*serving, "--tta"), ("--tta", "--serving")),
        (("--serving", server.address), ("--name", "nothing")),
        ((), ("RUN", "nothing", "--serving")),
        ((*serving[:3], "heart"), ("no model heart",)),
    ):
        assert_one_line_error(call("tf_msgan.predict", *arguments, *files), *words)
    assert not (tmp_path / "out").exists()


def test_a_model_of_another_version(server, monkeypatch):
    @dataclasses.dataclass
    class Older:
        crop: str

    monkeypatch.setattr(serving, "Preparation", Older)
    with pytest.raises(InputError, match=r"the preparation of another version .* made by tf_msgan\.export"):
        ServedSegmenter(server.address, "brain", 5)


def test_a_model_with_other_signatures(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
        def __call__(self, x):
            return {"y": x}

    module = Other()
    tf.saved_model.save(module, str(tmp_path / "brain" / "1"), signatures={"serving_default": module.__call__})
    other = Server(tmp_path / "brain")
    try:
        with pytest.raises(InputError, match=r'signature name: "describe" not found.* made by tf_msgan\.export'):
            ServedSegmenter(other.address, "brain", 5)
    finally:
        other.kill()
