"""Files of earlier versions are read by the commands, and those of later ones refused."""

import csv
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import FIXTURES, assert_one_line_error, edit_archive
from tf_msgan.config import SCHEMA
from tf_msgan.runs.trained_model import load_model
from tf_msgan.training.checkpoint import read_checkpoint

pytestmark = pytest.mark.integration

EXPECTED = FIXTURES / "expected"


LATER = SCHEMA + 1


@pytest.fixture
def scan(tiny_folder):
    return [tiny_folder / f"subject-4-{modality}.hdr" for modality in ("T1", "T2")]


def data_of(path):
    return np.asanyarray(nib.load(path).dataobj)


def say_later(content):
    """The JSON of a model's archive, as a later version would write it."""
    recorded = json.loads(content)
    recorded["config"] |= {"schema": LATER, "version": "99.0"}
    return json.dumps(recorded)


def test_an_old_model_segments_as_before(old_run, scan, tmp_path, call):
    result = call("tf_msgan.predict", old_run, "--input", *scan, "--output", tmp_path / "maps")
    assert result.returncode == 0, result.stderr
    assert np.array_equal(data_of(tmp_path / "maps/subject-4_dseg.nii.gz"), data_of(EXPECTED / "subject-4_dseg.nii.gz"))
    found, expected = (data_of(folder / "subject-4_probseg.nii.gz") for folder in (tmp_path / "maps", EXPECTED))
    assert np.allclose(found, expected, atol=1e-5)


def test_an_old_model_is_evaluated_and_exported(old_run, tiny_folder, tmp_path, call):
    result = call("tf_msgan.evaluate", old_run, "--data", tiny_folder, "--no-progress")
    assert result.returncode == 0 and "multi-stage, mean" in result.stdout, result.stderr
    result = call("tf_msgan.export", old_run, "--name", "old", "--output", tmp_path)
    assert result.returncode == 0 and (tmp_path / "old/1/saved_model.pb").is_file(), result.stderr


def test_an_old_run_is_resumed(old_run, tiny_folder, call):
    """Its second epoch is the one that the earlier version went on with."""
    result = call("tf_msgan.train", "--resume", "--out", old_run, "--data", tiny_folder, "--no-progress")
    assert result.returncode == 0 and "resuming: 1 of 2 epochs are done" in result.stdout, result.stderr
    histories = (old_run / "history.csv", EXPECTED / "history.csv")
    rows = [list(csv.DictReader(path.read_text().splitlines()))[1] for path in histories]
    found, expected = ({name: float(value) for name, value in row.items() if name != "seconds"} for row in rows)
    assert found == pytest.approx(expected, rel=1e-4)
    checkpoint = read_checkpoint(old_run)
    assert checkpoint.schema == SCHEMA and "refine/encoder_0_convolution_0/kernel" in checkpoint.variables


def test_an_old_model_alone_lacks_its_modalities(old_run, tmp_path, scan, call):
    shutil.copy(old_run / "model.keras", tmp_path / "alone.keras")
    result = call("tf_msgan.predict", tmp_path / "alone.keras", "--input", *scan, "--output", tmp_path / "maps")
    assert_one_line_error(result, "alone.keras", "names no modalities", "config.json beside it")


def test_a_model_alone_knows_all_that_prediction_needs(unet_run, tmp_path, scan, call):
    shutil.copy(unet_run / "model.keras", tmp_path / "alone.keras")
    model = load_model(tmp_path / "alone.keras")
    assert model.modalities == ("T1", "T2") and model.tissues == ("CSF", "GM", "WM")
    assert model.config == load_model(unet_run).config
    for source in (unet_run, tmp_path / "alone.keras"):
        result = call("tf_msgan.predict", source, "--input", *scan, "--output", tmp_path / source.stem)
        assert result.returncode == 0, result.stderr
    first, second = (data_of(tmp_path / name / "subject-4_probseg.nii.gz") for name in (unet_run.stem, "alone"))
    assert np.array_equal(first, second)


def test_what_a_later_version_wrote_is_refused(unet_run, old_run, tiny_folder, tmp_path, scan, call):
    run = Path(shutil.copytree(unet_run, tmp_path / "later"))
    edit_archive(run / "model.keras", "config.json", say_later)
    result = call("tf_msgan.predict", run, "--input", *scan, "--output", tmp_path / "maps")
    assert_one_line_error(result, "model.keras", f"schema {LATER} of tf_msgan 99.0", f"0 to {SCHEMA}")
    result = call("tf_msgan.export", run, "--name", "later", "--output", tmp_path / "export")
    assert_one_line_error(result, f"schema {LATER}")
    for name in ("maps", "export"):
        assert not (tmp_path / name).exists()

    recorded = json.loads((run / "config.json").read_text()) | {"schema": LATER, "version": "99.0"}
    (run / "config.json").write_text(json.dumps(recorded))
    assert_one_line_error(call("tf_msgan.evaluate", run), "config.json", f"schema {LATER} of tf_msgan 99.0")

    state = {"schema": LATER, "version": "99.0"}
    np.savez(old_run / "checkpoints/epoch-0002.npz", state=np.frombuffer(json.dumps(state).encode(), np.uint8))
    result = call("tf_msgan.train", "--resume", "--out", old_run, "--data", tiny_folder)
    assert_one_line_error(result, "epoch-0002.npz", f"schema {LATER} of tf_msgan 99.0")
