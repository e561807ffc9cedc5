"""Options, and their way through JSON."""

import json

import pytest

from tf_msgan.config import PRESETS, Config
from tf_msgan.errors import InputError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = PRESETS[name]
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_papers_preset():
    training = PRESETS["paper"].training
    assert (training.patch, training.batch_size, training.epochs, training.lr) == (32, 30, 80, 1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("steps_per_epoch", -1),
        ("batch_size", 0),
        ("patch", 20),
        ("lr", 0.0),
        ("seed", -1),
        ("lr", float("nan")),
        ("schedule", "step"),
        ("warmup_steps", -1),
        ("patience", -1),
        ("ema_decay", 1.0),
        ("precision", "float16"),
    ],
)
def test_wrong_values_name_their_field(name, value):
    with pytest.raises(InputError, match=rf"^training\.{name}: found"):
        Config().with_training(**{name: value})


@pytest.mark.parametrize(("share", "expected"), [(1.0, 6), (0.25, 2), (0.0, 1)])
def test_one_unlabelled_patch_at_least(share, expected):
    training = Config().with_training(batch_size=6, unlabelled_share=share)
    assert training.training.batch_sizes == (6, expected)


def test_fields_by_name():
    changed = Config().with_fields(["loss.prediction=0.2", "network.latent=8", "training.deterministic=true"])
    assert (changed.loss.prediction, changed.network.latent, changed.training.deterministic) == (0.2, 8, True)
    assert Config().with_fields([]) == Config()


@pytest.mark.parametrize(
    "assignment",
    [
        "loss.none=1",
        "training.unlabelled_share=1.5",
        "training.labels_first=1",
        "training.optimizer=sgd",
        "prediction=1",
        "loss.prediction",
        "loss.prediction=much",
        "network.latent=1.5",
        "loss.gan=none",
        "loss.fake=nan",
        "network.unet_width=0",
        "network.latent=0",
        "training.clip_norm=0",
        "training.final_lr=-1",
        "training.weight_decay=nan",
        "augmentation.scale=inf",
        "augmentation.mirror=1.5",
        "augmentation.contrast=1",
    ],
)
def test_wrong_fields_are_refused(assignment):
    with pytest.raises(InputError, match=r"--(set|gan-loss): found"):
        Config().with_fields([assignment])
