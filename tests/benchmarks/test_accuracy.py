"""Trainings of ours and of the peers, for as many minutes."""

import json
import sys

import pytest

from benchmarks import accuracy

pytestmark = pytest.mark.integration

# Stands in for an interpreter with the peers: it draws all as the first tissue.
FAKE_PEERS = f"""#!{sys.executable}
import json, sys
from pathlib import Path
import nibabel as nib
if sys.argv[1] == "-c":
    print("fakes")
    raise SystemExit
module, kind, raw, iterations, threads, *files = sys.argv[2:]
log, raw = Path(__file__).with_suffix(".log"), Path(raw)
labels = json.loads((raw / "dataset.json").read_text())["labels"]
assert labels == {{"background": 0, "CSF": 1, "GM": 2, "WM": 3, "ignore": 4}}, labels
assert sorted(path.name for path in raw.glob("*Tr/*")) == ["1.nii.gz", "1_0000.nii.gz", "1_0001.nii.gz"]
with log.open("a") as lines:
    print(kind, iterations, "and predicts" if files else "", file=lines)
if files:
    folder, state = map(Path, files)
    folder.mkdir()
    # A killed training's lies beside what is made anew.
    assert not state.is_relative_to(raw.parent.parent)
    state.touch()
    for path in raw.glob("imagesTs/*_0000.nii.gz"):
        image = nib.load(path)
        drawn = (image.get_fdata() > 0).astype("uint8")
        nib.save(nib.Nifti1Image(drawn, image.affine), folder / path.name.replace("_0000", ""))
print(json.dumps({{"iterations": int(iterations), "iteration_seconds": 0.5, "patch": [8, 8, 8], "batch": 2}}))
"""


def test_all_trainings_are_timed_and_get_the_steps_of_as_many_minutes(tiny_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "split.json").write_text(
        json.dumps({"train": ["1"], "validation": ["2"], "unlabeled": [], "test": ["3"]})
    )
    peers = tmp_path / "peers"
    peers.write_text(FAKE_PEERS)
    peers.chmod(0o755)
    trained = []

    def train_ours(model, options, steps):
        trained.append((model, steps))
        return {model: {"steps": steps, "mean": {tissue: {"dice": 0.5} for tissue in ("CSF", "GM", "WM")}}}

    seconds = {"labels": 0.3, "game": 0.0, "validation": 1.0}
    monkeypatch.setattr(accuracy, "seconds_of_steps", lambda cohort, split, config: seconds)
    monkeypatch.setattr(accuracy, "train_ours", train_ours)
    options = ["--peers", str(peers), "--data", str(tiny_folder), "--layout", "iseg"]
    options += [
        "--split",
        str(tmp_path / "split.json"),
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "out"),
    ]
    for _ in range(2):
        accuracy.main([*options, "--minutes", "3"])
    # Two epochs of 200 steps and a validation; what is done is not done again.
    assert trained == [("multi-stage", 400), ("unet", 400)] * 2
    kinds = [(peer.kind, peer.timed) for peer in accuracy.PEERS]
    asked = [line.split(maxsplit=2) for line in (tmp_path / "peers.log").read_text().splitlines()]
    assert asked[: 3 * len(kinds)] == [[kind, str(timed)] for kind, timed in kinds] * 3
    assert asked[3 * len(kinds) :] == [[kind, "360", "and predicts"] for kind, _ in kinds]
    assert not list((tmp_path / "runs").glob("*.pt"))
    rows = json.loads((tmp_path / "out" / "accuracy.json").read_text())["rows"]
    assert rows.keys() == {"multi-stage", "unet", *(peer.name for peer in accuracy.PEERS)}
    dice = {tissue: scores["dice"] for tissue, scores in rows["MONAI UNet"]["mean"].items()}
    assert 0 < dice["CSF"] < 1 and dice["GM"] == dice["WM"] == 0
    with pytest.raises(SystemExit):
        accuracy.main([*options, "--minutes", "4"])
    assert "another minutes" in capsys.readouterr().err
