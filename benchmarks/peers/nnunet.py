"""nnU-Net's 3d_fullres for some iterations on a CPU.

    python -m benchmarks.peers.nnunet default|GB FOLDER ITERATIONS THREADS [OUTPUT STATE]

FOLDER, which is called ROOT/raw/Dataset001_Cohort, holds nnU-Net's own layout. It plans and prepares as ever, for its
default memory or for so many GB; trains on all labelled subjects for so many iterations, by the last of which its
learning rate falls to 0; and, told an OUTPUT, predicts `imagesTs` into it without mirroring, and keeps in the file
STATE what a killed training goes on with. Prints a line of JSON: patch, batch, how many iterations nnU-Net is made for,
parameters, minutes of training, seconds of an iteration.
"""

import json
import os
import sys
from pathlib import Path

import torch

from benchmarks.peers.iterations import summarise, time_each
from benchmarks.peers.nets import count_parameters

CONFIGURATION, PLANS = "3d_fullres", "nnUNetPlans"


def use_folders(root, threads):
    """nnU-Net reads these where it is imported."""
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(Path(root) / name)
    os.environ |= {"nnUNet_compile": "f", "nnUNet_n_proc_DA": threads, "nnUNet_def_n_proc": threads}


def plan(memory, threads):
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    api.extract_fingerprints([1], num_processes=threads, show_progress_bar=False)
    api.plan_experiments([1], gpu_memory_target_in_gb=None if memory == "default" else float(memory))
    api.preprocess([1], PLANS, [CONFIGURATION], [threads], show_progress_bar=False)


def train(root, iterations, state):
    """Returns the trainer and the seconds of each iteration."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    folder = Path(root) / "preprocessed" / "Dataset001_Cohort"
    plans, about = (json.loads((folder / name).read_text()) for name in (f"{PLANS}.json", "dataset.json"))
    trainer = nnUNetTrainer({**plans, "continue_training": False}, CONFIGURATION, "all", about, torch.device("cpu"))
    trainer.on_train_start()
    trainer.network.train()

    def step(done):
        for group in trainer.optimizer.param_groups:
            # Its own schedule, by iterations: what an epoch is has no meaning here.
            group["lr"] = trainer.initial_lr * (1 - done / iterations) ** 0.9
        trainer.train_step(next(trainer.dataloader_train))

    seconds = time_each(step, iterations, (trainer.network, trainer.optimizer), state)
    trainer.on_train_end()
    return trainer, seconds


def predict(trainer, images, output):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        trainer.dataset_json,
        trainer.__class__.__name__,
        None,
    )
    predictor.predict_from_files_sequential(str(images), str(output))


def main(memory, folder, iterations, threads, output=None, state=None):
    root = Path(folder).parent.parent
    use_folders(root, threads)
    torch.manual_seed(0)
    torch.set_num_threads(int(threads))
    plan(memory, int(threads))
    trainer, seconds = train(root, int(iterations), state)
    if output:
        Path(output).mkdir(parents=True, exist_ok=True)
        predict(trainer, Path(folder) / "imagesTs", output)
    configuration = trainer.configuration_manager
    figures = {"patch": list(map(int, configuration.patch_size)), "batch": int(configuration.batch_size)}
    figures |= {"designed_iterations": trainer.num_epochs * trainer.num_iterations_per_epoch}
    figures |= {"parameters": count_parameters(trainer.network), **summarise(seconds)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
