"""Files of earlier versions are read, and those of later ones refused."""

import csv
import hashlib
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tf_msgan
from tests.conftest import FIXTURES, assert_one_line_error
from tf_msgan.config import SCHEMA, Config, read_schema
from tf_msgan.errors import InputError
from tf_msgan.runs.model_file import read_model_config
from tf_msgan.runs.run_folder import read_run_config, recorded_config
from tf_msgan.runs.trained_model import load_model
from tf_msgan.training.build_model import build_model
from tf_msgan.training.checkpoint import Checkpoint, RunState, read_checkpoint

EXPECTED = FIXTURES / "expected"
LATER = SCHEMA + 1


@pytest.fixture
def old_run(tmp_path):
    """A run that an earlier version left after one of two epochs."""
    return Path(shutil.copytree(FIXTURES / "run-schema-0", tmp_path / "run"))


@pytest.fixture
def scan(tiny_folder):
    return [tiny_folder / f"subject-4-{modality}.hdr" for modality in ("T1", "T2")]


def data_of(path):
    return np.asanyarray(nib.load(path).dataobj)


def edit_archive(path, member, edit):
    """Rewrites one member of a zip file."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = edit(content[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)


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


def test_a_model_alone_knows_all_that_prediction_needs(untrained_run, tmp_path, scan, call):
    shutil.copy(untrained_run / "model.keras", tmp_path / "alone.keras")
    model = load_model(tmp_path / "alone.keras")
    assert model.modalities == ("T1", "T2") and model.tissues == ("CSF", "GM", "WM")
    assert model.config == load_model(untrained_run).config
    for source in (untrained_run, tmp_path / "alone.keras"):
        result = call("tf_msgan.predict", source, "--input", *scan, "--output", tmp_path / source.stem)
        assert result.returncode == 0, result.stderr
    first, second = (data_of(tmp_path / name / "subject-4_probseg.nii.gz") for name in (untrained_run.stem, "alone"))
    assert np.array_equal(first, second)


def test_what_a_later_version_wrote_is_refused(untrained_run, old_run, tiny_folder, tmp_path, scan, call):
    run = Path(shutil.copytree(untrained_run, tmp_path / "later"))
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


@pytest.mark.parametrize("schema", [-1, "1", None, 1.0, True])
def test_a_schema_is_a_number(schema):
    with pytest.raises(InputError, match=r"a\.json: found schema"):
        read_schema({"schema": schema}, "a.json")


def test_a_field_that_came_later_has_its_default(old_run, tiny_config):
    values = tiny_config.to_dict()
    del values["loss"]["perturbation"], values["augmentation"]["gamma"]
    config = Config.from_dict(values)
    assert config.loss.perturbation == 1.0 and config.augmentation.gamma == 0.2
    assert config.network == tiny_config.network
    # Before there were schemas, a field that was missing meant other networks.
    recorded = read_run_config(old_run)
    del recorded["config"]["network"]["fused"]
    with pytest.raises(InputError, match=r"config\.json: found network without fused"):
        recorded_config(recorded, old_run)


def test_an_unknown_field_is_refused(tiny_config):
    values = tiny_config.to_dict()
    values["loss"]["beauty"] = 1.0
    with pytest.raises(TypeError, match="beauty"):
        Config.from_dict(values)


def test_versions_are_recorded(untrained_run):
    recorded = json.loads((untrained_run / "config.json").read_text())
    assert (recorded["schema"], recorded["version"]) == (SCHEMA, tf_msgan.__version__)
    with zipfile.ZipFile(untrained_run / "model.keras") as archive:
        model = json.loads(archive.read("config.json"))["config"]
    assert (model["schema"], model["version"]) == (SCHEMA, tf_msgan.__version__)
    assert model["modalities"] == ["T1", "T2"]


@pytest.mark.parametrize("name", ["unet", "standard-gan", "one-stage", "multi-stage"])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_variables_have_paths(name, precision, tiny_config):
    """Another model of the same process has the same, whatever Keras has numbered since."""
    config = Config(name, network=tiny_config.network).with_training(precision=precision)
    models = [build_model(("T1", "T2"), ("CSF", "GM", "WM"), config) for _ in range(2)]
    first, second = ([*model.model_variables(), *model.optimizer_variables()] for model in models)
    assert first == second and len(set(first)) == len(first)


def test_no_layer_is_named_by_keras(tiny_config):
    """Keras's own names count the layers that the process has made."""
    for name in ("unet", "standard-gan", "one-stage", "multi-stage"):
        networks = [
            build_model(("T1", "T2"), ("CSF", "GM", "WM"), Config(name, network=tiny_config.network)).networks()
            for _ in range(2)
        ]
        for one, other in zip(*(made.values() for made in networks), strict=True):
            assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]


def test_weights_in_another_order_are_refused(unet_run, tmp_path):
    """As of a version in which two layers of one shape change places."""

    def swap(content):
        recorded = json.loads(content)
        paths = recorded["config"]["variables"]
        one, other = (paths.index(f"unet/encoder_3_convolution_{n}/kernel") for n in range(2))
        paths[one], paths[other] = paths[other], paths[one]
        return json.dumps(recorded)

    path = Path(shutil.copy(unet_run / "model.keras", tmp_path))
    load_model(path)
    edit_archive(path, "config.json", swap)
    with pytest.raises(InputError, match=r"model\.keras: found weights of other layers, or in another order"):
        load_model(path)


def test_a_checkpoint_of_a_schema_in_between_has_paths():
    variables = {"refine/encoder_0_convolution_0/kernel": np.ones(3)}
    assert Checkpoint(RunState(), variables, variables, schema=1).migrated({}).variables == variables
    numbered = {"refine/0": np.ones(3)}
    migrated = Checkpoint(RunState(), numbered, {}, schema=0).migrated({"refine/0": "refine/a/kernel"})
    assert list(migrated.variables) == ["refine/a/kernel"]


def test_a_new_field_raises_the_schema():
    """Else earlier versions would call what this one writes damaged. After a change of fields raise `SCHEMA`, unless
    that was done since the last release, and note the digest."""
    parts = {name: sorted(part) for name, part in Config().to_dict().items() if isinstance(part, dict)}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    assert {SCHEMA: digest} == {1: "33d687eec19d"}


@given(st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_damaged_model_is_refused(at, bit):
    """Or read as it was, where nothing depends on the bit."""
    content = bytearray((FIXTURES / "run-schema-0" / "model.keras").read_bytes())
    # Where the archive lists its members, and where config.json lies.
    at = at % 400 if at % 2 else len(content) - 1 - at % 400
    content[at] ^= 1 << bit
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        try:
            assert read_model_config(path)["tissues"] == ["CSF", "GM", "WM"]
        except InputError as error:
            assert "model.keras" in str(error)
