"""Accuracy for equal minutes of training: `python -m benchmarks.accuracy --peers .venv-peers/bin/python --data DIR`.

Dice on the test subjects of a split, after as many minutes of training on the same cores and the same labels: this
project's multi-stage model and its U-Net, by `tuning.compare`, with HMRF (dipy) and QDA, which need no training;
nnU-Net v2's 3d_fullres as it plans itself, and planned for so little memory that its patch is about 64³; MONAI's
`BasicUNet` and its `UNet`. None averages over mirror images. This project's models choose their epoch by the validation
subject, and multi-stage sees the unlabelled ones; the others see neither. This project's get the steps that should take
so long by the step's fastest time, and the others then as long as these took in fact. One seed. What is done is kept:
the same command goes on, so each training's machine is told.
"""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.provenance import peer_versions, provenance
from benchmarks.turns import ask, run_on
from tf_msgan.data.cohort import Cohort, read_images, read_labels, reference_of
from tf_msgan.data.labels import IGNORE
from tf_msgan.data.layouts import read_cohort
from tf_msgan.data.splits import read_split
from tf_msgan.data.volumes import read_codes, write_nifti
from tf_msgan.errors import InputError, exit_on_input_error
from tf_msgan.evaluation.metrics import mean_scores, score
from tf_msgan.files import write_json
from tf_msgan.machine import describe_machine

OURS = ("multi-stage", "unet")
# GB for which nnU-Net plans a patch of about 64³.
LEAST_MEMORY = "1"


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", required=True, help="of benchmarks/requirements-peers.txt")
    parser.add_argument("--data", metavar="DIR", required=True)
    parser.add_argument("--layout", default="albert")
    parser.add_argument("--split", default="albert-few-shot")
    parser.add_argument("--minutes", type=float, default=60, help="of each training")
    parser.add_argument("--threads", type=int, default=2, help="and cores")
    parser.add_argument("--runs", type=Path, default=Path("runs/accuracy"), help="folder of the trainings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the outcomes")
    return parser.parse_args(argv)


def write_scans(cohort: Cohort, split, root: Path):
    """The labelled and the test subjects in nnU-Net's layout, the class after the tissues for what is ignored."""
    tissues = cohort.labels.tissues
    ignored = len(tissues) + 1
    for part, ids in (("Tr", split.train), ("Ts", split.test)):
        for id in ids:
            volumes = read_images(cohort.subjects[id].images)
            for channel, volume in enumerate(volumes):
                write_nifti(root / f"images{part}" / f"{id}_{channel:04}.nii.gz", volume.data, volume)
            if part == "Tr":
                labels = read_labels(cohort, id, volumes)
                codes = np.where(labels == IGNORE, ignored, labels).astype(np.uint8)
                write_nifti(root / "labelsTr" / f"{id}.nii.gz", codes, reference_of(volumes))
    channels = {str(number): name for number, name in enumerate(cohort.modalities)}
    labels = {"background": 0, **{name: n for n, name in enumerate(tissues, start=1)}, "ignore": ignored}
    about = {"channel_names": channels, "labels": labels, "numTraining": len(split.train), "file_ending": ".nii.gz"}
    write_json(root / "dataset.json", about)


def score_files(cohort, ids, folder):
    """Scores of label maps `ID.nii.gz`: by subject, and their means."""
    subjects = {}
    for id in ids:
        volumes = read_images(cohort.subjects[id].images)
        found = read_codes(folder / f"{id}.nii.gz").data
        spacing = reference_of(volumes).spacing
        subjects[id] = score(read_labels(cohort, id, volumes), found, cohort.labels.tissues, spacing)
    return {"subjects": subjects, "mean": mean_scores(subjects)}


def train_ours(options):
    command = [sys.executable, "-m", "tuning.compare", "--models", *OURS, "--seeds", 1, "--budget", "minutes"]
    command += ["--amount", options.minutes, "--data", options.data, "--layout", options.layout]
    command += ["--split", options.split, "--out", options.out / "ours", "--runs", options.runs / "ours"]
    run_on(command, options.threads)
    outcomes = {}
    for path in sorted((options.out / "ours" / "cells").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        outcomes |= content if path.stem.startswith("references") else {content["cell"]["model"]: content}
    return outcomes


@dataclass(frozen=True)
class Peer:
    """One of the others: its `name`, the module of `benchmarks.peers` that trains and predicts, and of what `kind`."""

    name: str
    module: str
    kind: str

    @property
    def folder(self) -> str:
        return f"{self.module}-{self.kind}"

    def command(self, options, minutes, raw, output):
        module = f"benchmarks.peers.{self.module}"
        return [options.peers, "-m", module, self.kind, raw, minutes, output, options.threads]

    def kept(self, options) -> Path:
        return options.out / f"{self.folder}.json"


PEERS = (
    Peer("nnU-Net, as planned", "nnunet", "default"),
    Peer("nnU-Net, least memory", "nnunet", LEAST_MEMORY),
    Peer("MONAI BasicUNet", "monai_unet", "BasicUNet"),
    Peer("MONAI UNet", "monai_unet", "UNet"),
)


def read_kept(peer, options, conditions):
    """What an earlier call found; None if there was none.

    Raises:
        InputError: it was under other conditions.
    """
    path = peer.kept(options)
    if not path.exists():
        return None
    outcome = json.loads(path.read_text(encoding="utf-8"))
    if different := [name for name, value in conditions.items() if outcome[name] != value]:
        raise InputError(path, f"another {', '.join(different)}", f"{conditions}, or another --out")
    return outcome


def train_peer(peer, options, cohort, split, minutes, conditions):
    root = options.runs / peer.folder
    if root.exists():
        # Whatever cases lie there are trained on.
        shutil.rmtree(root)
    raw, output = root / "raw" / "Dataset001_Cohort", root / "predicted"
    write_scans(cohort, split, raw)
    figures = ask(peer.command(options, minutes, raw, output), options.threads)
    about = {"name": peer.name, "machine": describe_machine(), "training_minutes": minutes, **conditions}
    outcome = {**about, **figures, **score_files(cohort, split.test, output)}
    write_json(peer.kept(options), outcome)
    return outcome


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    cohort = read_cohort(options.data, options.layout)
    split = read_split(options.split, cohort)
    # Before hours are spent: the environment may lack one of them, or be another one than before.
    conditions = {"peers": peer_versions(options.peers), "threads": options.threads}
    kept = {peer: read_kept(peer, options, conditions) for peer in PEERS}
    print(f"{provenance()}. Peers: {conditions['peers']}", flush=True)
    outcomes = train_ours(options)
    minutes = max(outcomes[model]["training_minutes"] for model in OURS)
    for peer, outcome in kept.items():
        if outcome is None:
            print(f"training {peer.name}", flush=True)
            outcome = train_peer(peer, options, cohort, split, minutes, conditions)
        outcomes[peer.name] = outcome
    print(f"\n{'Dice':<26}" + "".join(f"{tissue:>9}" for tissue in cohort.labels.tissues) + f"{'mean':>9}")
    for name, outcome in outcomes.items():
        dice = [outcome["mean"][tissue]["dice"] for tissue in cohort.labels.tissues]
        print(f"{name:<26}" + "".join(f"{value:>9.4f}" for value in [*dice, np.mean(dice)]))
    about = {"provenance": provenance(), "peers": conditions["peers"], "minutes": options.minutes}
    facts = ("machine", "mean", "training_minutes", "patch", "batch", "iterations", "designed_iterations", "steps")
    rows = {name: {key: outcome.get(key) for key in facts} for name, outcome in outcomes.items()}
    write_json(options.out / "accuracy.json", {**about, "split": split.to_dict(), "rows": rows})


if __name__ == "__main__":
    main()
