"""A training from Python, and the README's own block of it."""

import json
import re
import shutil
import warnings

import keras
import nibabel as nib
import pytest

import tf_msgan
from tests.conftest import ROOT, segment
from tests.pages import Page
from tf_msgan.errors import InputError

pytestmark = pytest.mark.integration


def test_fit_trains_evaluates_and_returns_the_model(tiny_cohort, tiny_config, tmp_path, scan):
    seen = []
    brain = tf_msgan.fit(
        tiny_cohort.root,
        tmp_path / "run",
        modalities=["T1"],
        labeled=2,
        config=tiny_config,
        model="unet",
        epochs=1,
        patch=16,
        progress=lambda task, done, total: seen.append(task),
    )
    assert brain.modalities == ("T1",) and segment(brain, scan[0]).labels.shape == nib.load(scan[0]).shape
    recorded = json.loads((tmp_path / "run/config.json").read_text())
    assert recorded["config"]["model"] == "unet" and recorded["config"]["training"]["epochs"] == 1
    assert recorded["data"]["modalities"] == ["T1"] and len(recorded["data"]["split"]["train"]) == 2
    assert set(json.loads((tmp_path / "run/evaluation.json").read_text())["mean"]) == {"CSF", "GM", "WM"}
    page = Page((tmp_path / "run/report.html").read_text())
    assert page.headings[0] == "run" and page.tables[0][0] == ["subject", "CSF", "GM", "WM", "mean"]
    assert "Trained for 1 epochs" in page.text and "unet on the iseg layout" in page.text
    assert {"checking the scans", "segmenting test subjects"} <= set(seen)
    with pytest.raises(InputError, match="something there already"):
        tf_msgan.fit(tiny_cohort.root, tmp_path / "run")
    with pytest.raises(TypeError, match="beauty"):
        tf_msgan.fit(tiny_cohort.root, tmp_path / "other", beauty=3)
    assert not (tmp_path / "other").exists()


def test_a_callback_may_end_the_training(tiny_cohort, tiny_config, tmp_path):
    """In the supervised phase, too: the adversarial phase does not begin then."""

    class StopAtOnce(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    config = tiny_config.with_fields(["training.labels_first=0.5"])
    tf_msgan.fit(tiny_cohort.root, tmp_path / "run", split="all", config=config, callbacks=[StopAtOnce()])
    assert len((tmp_path / "run/history.csv").read_text().splitlines()) == 2


def test_the_readme_is_right(unet_run, scan, tmp_path, monkeypatch, capsys):
    """Its block of Python, as it stands."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    shutil.copytree(unet_run, tmp_path / "here/runs/mine")
    for path, name in zip(scan, ("T1", "T2"), strict=True):
        shutil.copy(path, tmp_path / f"here/{name}.nii.gz")
    monkeypatch.chdir(tmp_path / "here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exec(code, {})
    assert "'CSF'" in capsys.readouterr().out
    assert nib.load("labels.nii.gz").shape == nib.load("T1.nii.gz").shape
    assert list((tmp_path / "here/maps").glob("*_dseg.nii.gz"))
