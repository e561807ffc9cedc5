"""nnU-Net's 3d_fullres for some minutes on a CPU.

    python -m benchmarks.peers.nnunet default|GB FOLDER MINUTES OUTPUT THREADS

FOLDER, which is called ROOT/raw/Dataset001_Cohort, holds nnU-Net's own layout. It plans and prepares as ever, for its
default memory or for so many GB; trains on all labelled subjects until the minutes of training are over, by which its
learning rate falls to 0; and predicts `imagesTs` into OUTPUT without mirroring. Prints a line of JSON: patch, batch,
iterations, how many of them nnU-Net is made for, seconds of each.
"""

import itertools
import json
import os
import sys
import time
from pathlib import Path

import torch

MOMENTS = ("planning", "training", "prediction")
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


def train(root, minutes):
    """Returns the trainer and how many iterations it did."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    folder = Path(root) / "preprocessed" / "Dataset001_Cohort"
    plans, about = (json.loads((folder / name).read_text()) for name in (f"{PLANS}.json", "dataset.json"))
    trainer = nnUNetTrainer({**plans, "continue_training": False}, CONFIGURATION, "all", about, torch.device("cpu"))
    trainer.on_train_start()
    trainer.network.train()
    iterations, start = 0, time.perf_counter()
    while (share := (time.perf_counter() - start) / (60 * minutes)) < 1:
        for group in trainer.optimizer.param_groups:
            # Its own schedule, by the clock: what an epoch is has no meaning here.
            group["lr"] = trainer.initial_lr * (1 - share) ** 0.9
        trainer.train_step(next(trainer.dataloader_train))
        iterations += 1
    trainer.on_train_end()
    return trainer, iterations


def predict(trainer, images, output):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        *(trainer.network, trainer.plans_manager, trainer.configuration_manager),
        [trainer.network.state_dict()],
        *(trainer.dataset_json, trainer.__class__.__name__, None),
    )
    predictor.predict_from_files_sequential(str(images), str(output))


def main(memory, folder, minutes, output, threads):
    root = Path(folder).parent.parent
    use_folders(root, threads)
    torch.manual_seed(0)
    torch.set_num_threads(int(threads))
    moments = [time.perf_counter()]
    plan(memory, int(threads))
    moments.append(time.perf_counter())
    trainer, iterations = train(root, float(minutes))
    moments.append(time.perf_counter())
    Path(output).mkdir(parents=True, exist_ok=True)
    predict(trainer, Path(folder) / "imagesTs", output)
    moments.append(time.perf_counter())
    seconds = [after - before for before, after in itertools.pairwise(moments)]
    configuration = trainer.configuration_manager
    figures = {"patch": list(map(int, configuration.patch_size)), "batch": int(configuration.batch_size)}
    designed = trainer.num_epochs * trainer.num_iterations_per_epoch
    figures |= {"iterations": iterations, "designed_iterations": designed}
    figures |= {"parameters": sum(p.numel() for p in trainer.network.parameters())}
    print(json.dumps({**figures, "seconds": dict(zip(MOMENTS, seconds, strict=True))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
