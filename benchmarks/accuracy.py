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
NNUNET = {"nnU-Net, as planned": "default", "nnU-Net, least memory": LEAST_MEMORY}
MONAI = {"MONAI BasicUNet": "BasicUNet", "MONAI UNet": "UNet"}


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


def peer_commands(options, minutes):
    """By name: the command that trains for so long and predicts, and where its label maps go."""
    commands = {}
    for name, memory in NNUNET.items():
        root, output = options.runs / f"nnunet-{memory}", options.runs / f"nnunet-{memory}" / "predicted"
        module = [options.peers, "-m", "benchmarks.peers.nnunet"]
        commands[name] = ([*module, root, minutes, output, memory, options.threads], root, output)
    for name, net in MONAI.items():
        root = options.runs / f"monai-{net}"
        raw, output = root / "raw" / "Dataset001_Cohort", root / "predicted"
        module = [options.peers, "-m", "benchmarks.peers.monai_unet", net]
        commands[name] = ([*module, raw, minutes, output, options.threads], root, output)
    return commands


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    cohort = read_cohort(options.data, options.layout)
    split = read_split(options.split, cohort)
    # Before hours are spent: an environment may lack one of them.
    peers = peer_versions(options.peers)
    print(f"{provenance()}. Peers: {peers}", flush=True)
    outcomes = train_ours(options)
    minutes = max(outcomes[model]["training_minutes"] for model in OURS)
    conditions = {"peers": peers, "threads": options.threads}
    for name, (command, root, output) in peer_commands(options, minutes).items():
        kept = options.out / f"{output.parent.name}.json"
        if not kept.exists():
            print(f"training {name}", flush=True)
            if root.exists():
                # Whatever cases lie there are trained on.
                shutil.rmtree(root)
            write_scans(cohort, split, root / "raw" / "Dataset001_Cohort")
            figures = ask(command, options.threads)
            about = {"name": name, "machine": describe_machine(), "training_minutes": minutes, **conditions}
            write_json(kept, {**about, **figures, **score_files(cohort, split.test, output)})
        outcomes[name] = outcome = json.loads(kept.read_text(encoding="utf-8"))
        if different := [condition for condition, value in conditions.items() if outcome[condition] != value]:
            raise InputError(kept, f"another {', '.join(different)}", f"{conditions}, or another --out")
    print(f"\n{'Dice':<26}" + "".join(f"{tissue:>9}" for tissue in cohort.labels.tissues) + f"{'mean':>9}")
    for name, outcome in outcomes.items():
        dice = [outcome["mean"][tissue]["dice"] for tissue in cohort.labels.tissues]
        print(f"{name:<26}" + "".join(f"{value:>9.4f}" for value in [*dice, np.mean(dice)]))
    about = {"provenance": provenance(), "peers": peers, "minutes": options.minutes}
    facts = ("machine", "mean", "training_minutes", "patch", "batch", "iterations", "designed_iterations", "steps")
    rows = {name: {key: outcome.get(key) for key in facts} for name, outcome in outcomes.items()}
    write_json(options.out / "accuracy.json", {**about, "split": split.to_dict(), "rows": rows})


if __name__ == "__main__":
    main()
