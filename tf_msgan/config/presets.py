"""Configs to start from."""

import os

from tf_msgan.config.config import Config
from tf_msgan.config.loss_config import LossConfig
from tf_msgan.config.network_config import NetworkConfig
from tf_msgan.config.training_config import TrainingConfig

PRESETS = {
    # Minutes on two cores, on the embedded 2 mm phantoms.
    "demo": Config(training=TrainingConfig(epochs=8)),
    # Within half an hour on two cores, on real scans: what measured best (docs/decisions.md).
    "best": Config(training=TrainingConfig(epochs=30, steps_per_epoch=200)),
    # Khaled & Han.
    "paper": Config(
        network=NetworkConfig(coarse_width=8, discriminator_width=16, coarse_tissues=False, fused=True),
        loss=LossConfig(overlap=0.0),
        training=TrainingConfig(
            epochs=80,
            batch_size=30,
            unlabelled_share=1.0,
            labels_first=0.0,
            optimizer="adamw",
            lr=1e-4,
            final_lr=1.0,
        ),
    ),
}


def choose_preset(asked: str | None, data: str | os.PathLike[str] | None) -> str:
    """Returns the name of the preset that is asked for, or of the one for the folder `data`, or for the embedded
    phantoms."""
    return asked or ("best" if data else "demo")
