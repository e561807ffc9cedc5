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
    with pytest.raises(InputError, match=rf"^training\.{name}: found {value}; expected"):
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
    ("assignment", "complaint"),
    [
        ("loss.none=1", "set: found loss.none=1; expected PART.FIELD=VALUE with one of network.coarse_width, "),
        ("prediction=1", "set: found prediction=1; expected PART.FIELD=VALUE with one of network.coarse_width, "),
        ("loss.prediction", "set: found loss.prediction; expected a value like 0.1"),
        ("loss.prediction=much", "set: found loss.prediction=much; expected a value like 0.1"),
        ("network.latent=1.5", "set: found network.latent=1.5; expected a value like 16"),
        ("training.unlabelled_share=1.5", "training.unlabelled_share: found 1.5; expected within 0..1"),
        ("training.labels_first=1", "training.labels_first: found 1.0; expected within 0..1, below 1"),
        ("training.optimizer=sgd", "training.optimizer: found sgd; expected one of muon, adamw"),
        ("training.clip_norm=0", "training.clip_norm: found 0.0; expected above 0"),
        ("training.final_lr=-1", "training.final_lr: found -1.0; expected within 0..1"),
        ("training.weight_decay=nan", "training.weight_decay: found nan; expected 0 or more"),
        ("loss.gan=none", "loss.gan: found none; expected one of minimax, nsgan, wgan, wgan-gp, lsgan, acgan"),
        ("loss.fake=nan", "loss.fake: found nan; expected 0 or more"),
        ("network.unet_width=0", "network.unet_width: found 0; expected 1 or more"),
        ("network.latent=0", "network.latent: found 0; expected 1 or more"),
        ("augmentation.scale=inf", "augmentation.scale: found inf; expected 0 or more, below 1"),
        ("augmentation.mirror=1.5", "augmentation.mirror: found 1.5; expected within 0..1"),
        ("augmentation.contrast=1", "augmentation.contrast: found 1.0; expected 0 or more, below 1"),
    ],
)
def test_wrong_fields_are_refused_by_name(assignment, complaint):
    with pytest.raises(InputError) as raised:
        Config().with_fields([assignment])
    found = str(raised.value)
    # Of a field that there is not, all that there are are named.
    assert found.startswith(complaint) if complaint.endswith(", ") else found == complaint
