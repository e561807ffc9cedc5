"""Accuracy for equal minutes of training: `python -m benchmarks.accuracy --peers .venv-peers/bin/python --data DIR`.

Dice on the test subjects of a split, after as many minutes of training on the same cores and the same labels: this
project's multi-stage model and its U-Net, with HMRF (dipy) and QDA, which need no training, by `tuning.compare`;
nnU-Net v2's 3d_fullres as it plans itself, and planned for so little memory that its patch is about 64³; MONAI's
`BasicUNet` and its `UNet`. None averages over mirror images. This project's models choose their epoch by the validation
subject, and multi-stage sees the unlabelled ones; the others see neither. One seed.

Minutes are counted by what a step of each takes, timed in turns before the first training, in one run. What is done is
kept, of an unfinished training in the folder of the trainings: the same command goes on, on another machine too, where
the same steps may take longer.
"""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.provenance import peer_versions, provenance
from benchmarks.turns import ask, restricted, run_on
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.config import PRESETS
from tf_msgan.datasets.choose_preparation import choose_preparation
from tf_msgan.datasets.cohort import Cohort, read_labels
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import read_split
from tf_msgan.errors import InputError
from tf_msgan.evaluation.metrics import mean_scores, score
from tf_msgan.io.atomic_files import write_json
from tf_msgan.io.images import read_images, reference_of
from tf_msgan.io.read_volumes import read_codes
from tf_msgan.io.write_volumes import write_nifti
from tf_msgan.preprocessing.reserved_values import IGNORE
from tuning.step_seconds import epochs_within, measure_in_turns, seconds_of_steps

OURS = ("multi-stage", "unet")
# GB for which nnU-Net plans a patch of about 64³.
LEAST_MEMORY = "1"
# File of the outcomes' folder.
TIMED = "seconds.json"


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", required=True, help="of benchmarks/requirements-peers.txt")
    parser.add_argument("--data", metavar="DIR", required=True)
    parser.add_argument("--layout", default="albert")
    parser.add_argument("--split", default="albert-few-shot")
    parser.add_argument("--minutes", type=float, default=60, help="of each training")
    parser.add_argument("--threads", type=int, default=2, help="and cores")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the outcomes")
    return parser.parse_args(argv)


def write_scans(cohort: Cohort, split, root: Path):
    """Writes the labelled and the test subjects in nnU-Net's layout, the class after the tissues for what is
    ignored."""
    tissues = cohort.labels.tissues
    ignored = len(tissues) + 1
    for part, ids in (("Tr", split.train), ("Ts", split.test)):
        for subject_id in ids:
            volumes = read_images(cohort.subjects[subject_id].images)
            for channel, volume in enumerate(volumes):
                write_nifti(root / f"images{part}" / f"{subject_id}_{channel:04}.nii.gz", volume.data, volume)
            if part == "Tr":
                labels = read_labels(cohort, subject_id, volumes)
                codes = np.where(labels == IGNORE, ignored, labels).astype(np.uint8)
                write_nifti(root / "labelsTr" / f"{subject_id}.nii.gz", codes, reference_of(volumes))
    channels = {str(number): name for number, name in enumerate(cohort.modalities)}
    labels = {"background": 0, **{name: n for n, name in enumerate(tissues, start=1)}, "ignore": ignored}
    about = {"channel_names": channels, "labels": labels, "numTraining": len(split.train), "file_ending": ".nii.gz"}
    write_json(root / "dataset.json", about)


def score_files(cohort, ids, folder):
    """Scores label maps `ID.nii.gz`. Returns the scores by subject, and their means."""
    subjects = {}
    for subject_id in ids:
        volumes = read_images(cohort.subjects[subject_id].images)
        found = read_codes(folder / f"{subject_id}.nii.gz").data
        spacing = reference_of(volumes).spacing
        truth = read_labels(cohort, subject_id, volumes)
        subjects[subject_id] = score(truth, found, cohort.labels.tissues, spacing)
    return {"subjects": subjects, "mean": mean_scores(subjects)}


def train_ours(model, options, steps):
    """Trains one of this project's models. Returns the outcomes of `tuning.compare` by name: the model's, and those
    that need no training."""
    folder = options.out / model
    command = [sys.executable, "-m", "tuning.compare", "--models", model, "--seeds", 1, "--budget", "steps"]
    command += ["--amount", steps, "--data", options.data, "--layout", options.layout, "--split", options.split]
    run_on([*command, "--out", folder, "--runs", options.runs / model], options.threads)
    outcomes = {}
    for path in sorted((folder / "cells").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        outcomes |= content if path.stem.startswith("references") else {model: content}
    return outcomes


@dataclass(frozen=True)
class Peer:
    """One of the others: its `name`, the module of `benchmarks.peers` that trains and predicts, of what `kind`, and how
    many iterations tell how long one takes."""

    name: str
    module: str
    kind: str
    timed: int

    @property
    def folder(self) -> str:
        return f"{self.module}-{self.kind}"

    def run(self, options, cohort, split, iterations, *files) -> dict:
        """Trains, and returns what it prints. Told `files`, a folder and a file, it predicts the test subjects into the
        one, and keeps in the other what a killed training goes on with."""
        root = options.runs / self.folder
        if root.exists():
            # Whatever cases lie there are trained on.
            shutil.rmtree(root)
        raw = root / "raw" / "Dataset001_Cohort"
        write_scans(cohort, split, raw)
        module = f"benchmarks.peers.{self.module}"
        command = [options.peers, "-m", module, self.kind, raw, iterations, options.threads, *files]
        return ask(command, options.threads)


PEERS = (
    Peer("nnU-Net, as planned", "nnunet", "default", timed=4),
    Peer("nnU-Net, least memory", "nnunet", LEAST_MEMORY, timed=12),
    Peer("MONAI BasicUNet", "monai_unet", "BasicUNet", timed=12),
    Peer("MONAI UNet", "monai_unet", "UNet", timed=40),
)


def read_kept(path, conditions):
    """Returns what an earlier call found; None if there was none.

    Raises:
        InputError: it was under other conditions.
    """
    if not path.exists():
        return None
    outcome = json.loads(path.read_text(encoding="utf-8"))
    if different := [name for name, value in conditions.items() if outcome[name] != value]:
        raise InputError(path, f"another {', '.join(different)}", f"{conditions}, or another --out")
    return outcome


def time_all(options, cohort, split, configs, conditions):
    """Measures the seconds of the steps of this project's models and of the others' iterations, in turns."""

    def time_peer(peer):
        return {"iteration": peer.run(options, cohort, split, peer.timed)["iteration_seconds"]}

    jobs = {model: partial(seconds_of_steps, cohort, split, config) for model, config in configs.items()}
    jobs |= {peer.name: partial(time_peer, peer) for peer in PEERS}
    with restricted(options.threads):
        seconds = measure_in_turns(jobs, TerminalProgress(bars=True))
    timed = {"provenance": provenance(), **conditions, "seconds": seconds}
    write_json(options.out / TIMED, timed)
    return timed


def train_peer(peer, options, cohort, split, iterations, conditions):
    output = options.runs / peer.folder / "predicted"
    # Of these iterations alone: others would have another schedule.
    state = options.runs / f"{peer.folder}-{iterations}.pt"
    figures = peer.run(options, cohort, split, iterations, output, state)
    outcome = {"name": peer.name, "provenance": provenance(), **conditions, **figures}
    outcome |= score_files(cohort, split.test, output)
    write_json(options.out / f"{peer.folder}.json", outcome)
    state.unlink()
    return outcome


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    cohort = read_cohort(options.data, options.layout)
    split = read_split(options.split, cohort)
    # Before hours are spent: the environment may lack one of them, or be another one than before.
    timing = {"peers": peer_versions(options.peers), "threads": options.threads}
    training = {**timing, "minutes": options.minutes}
    timed = read_kept(options.out / TIMED, timing)
    kept = {peer: read_kept(options.out / f"{peer.folder}.json", training) for peer in PEERS}
    print(f"{provenance()}. Peers: {timing['peers']}", flush=True)
    config = replace(PRESETS["best"], preparation=choose_preparation(cohort, split))
    configs = {model: replace(config, model=model) for model in OURS}
    timed = timed or time_all(options, cohort, split, configs, timing)
    outcomes = {}
    for model in OURS:
        epochs = epochs_within(options.minutes, configs[model], timed["seconds"][model])
        outcomes |= train_ours(model, options, epochs * config.training.steps_per_epoch)
    for peer, outcome in kept.items():
        if outcome is None:
            iterations = round(60 * options.minutes / timed["seconds"][peer.name]["iteration"])
            print(f"training {peer.name}: {iterations} iterations", flush=True)
            outcome = train_peer(peer, options, cohort, split, iterations, training)
        outcomes[peer.name] = outcome
    print(f"\n{'Dice':<26}" + "".join(f"{tissue:>9}" for tissue in cohort.labels.tissues) + f"{'mean':>9}")
    for name, outcome in outcomes.items():
        dice = [outcome["mean"][tissue]["dice"] for tissue in cohort.labels.tissues]
        print(f"{name:<26}" + "".join(f"{value:>9.4f}" for value in [*dice, np.mean(dice)]))
    about = {"provenance": timed["provenance"], "peers": timing["peers"], "minutes": options.minutes}
    facts = ("mean", "patch", "batch", "iterations", "designed_iterations", "steps")
    rows = {name: {key: outcome.get(key) for key in facts} for name, outcome in outcomes.items()}
    write_json(options.out / "accuracy.json", {**about, "split": split.to_dict(), "rows": rows})


if __name__ == "__main__":
    main()
