"""What a model's file says of itself."""

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tf_msgan
from tests.conftest import FIXTURES, edit_archive
from tf_msgan.config import SCHEMA
from tf_msgan.errors import InputError
from tf_msgan.runs.model_file import read_model_config
from tf_msgan.runs.trained_model import load_model


@pytest.mark.integration
def test_versions_are_recorded(unet_run):
    recorded = json.loads((unet_run / "config.json").read_text())
    assert (recorded["schema"], recorded["version"]) == (SCHEMA, tf_msgan.__version__)
    with zipfile.ZipFile(unet_run / "model.keras") as archive:
        model = json.loads(archive.read("config.json"))["config"]
    assert (model["schema"], model["version"]) == (SCHEMA, tf_msgan.__version__)
    assert model["modalities"] == ["T1", "T2"]


@pytest.mark.integration
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
