"""Which epoch's model is kept, and how."""

import dataclasses

import numpy as np
import pytest

from tf_msgan.errors import InputError
from tf_msgan.runs.trained_model import load_model
from tf_msgan.training.build_model import build_model
from tf_msgan.training.callbacks import KeepRun, StopAtNonFinite

pytestmark = pytest.mark.integration

TISSUES = ("CSF", "GM", "WM")


def kept_after(config, run, epochs, average="unet_average"):
    """What a run folder holds after epochs that end with such logs; the first variable of the segmenter's average is
    `n` after epoch `n`."""
    model = build_model(("T1", "T2"), TISSUES, config)
    keep = KeepRun(run, writes=True)
    keep.set_model(model)
    for epoch, logs in enumerate(epochs):
        variable = getattr(model, average).variables[0]
        variable.assign(np.full(variable.shape, epoch, np.float32))
        keep.on_epoch_end(epoch, logs)
    kept = load_model(run)
    (value,) = np.unique(getattr(kept, average).variables[0].numpy())
    return keep.state, value, kept


@pytest.fixture
def small(tiny_config):
    return dataclasses.replace(tiny_config, model="unet")


def test_the_best_of_all_tissues_is_kept(small, tmp_path):
    """Whose CSF is not the best, and neither is its GM."""
    dice = [(0.3, 0.9), (0.6, 0.1), (0.5, 0.95)]
    epochs = [
        {"val_dice": mean, "val_dice_CSF": gm, "val_dice_GM": gm, "dice": 0.1 * n} for n, (mean, gm) in enumerate(dice)
    ]
    state, value, _ = kept_after(small, tmp_path, epochs)
    assert (state.best_epoch, state.best_dice, value) == (1, 0.6, 1)
    assert [row["val_dice"] for row in state.history] == [0.3, 0.6, 0.5]


def test_of_equal_ones_the_first_is_kept(small, tmp_path):
    state, value, _ = kept_after(small, tmp_path, [{"val_dice": 0.5}, {"val_dice": 0.5}])
    assert (state.best_epoch, value) == (0, 0)


def test_without_validation_the_last_is_kept(small, tmp_path):
    state, value, _ = kept_after(small, tmp_path, [{"dice": 0.9}, {"dice": 0.1}])
    assert (state.best_epoch, value) == (1, 1)


def test_whatever_trained_it_float32_is_kept(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, model="one-stage").with_training(precision="mixed_bfloat16")
    trained = build_model(("T1", "T2"), TISSUES, config)
    computed = {layer.compute_dtype for layer in trained.refine.layers}
    assert "bfloat16" in computed
    _, _, kept = kept_after(config, tmp_path, [{"dice": 0.5}], "refine_average")
    assert kept.config == config.with_training(precision="float32")
    for network in (*kept.networks().values(), kept.refine_average, kept.discriminator_average):
        assert {layer.compute_dtype for layer in network.layers} == {"float32"}


KERNEL = "refine/encoder_0_convolution_0/kernel"


def test_weights_that_are_not_finite_are_not_saved(tiny_config, tmp_path):
    """A gradient that overflows in an epoch's last step leaves finite losses behind."""
    model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), tiny_config)
    guard = StopAtNonFinite(tmp_path / "run")
    guard.set_model(model)
    guard.on_epoch_begin(2)
    guard.on_epoch_end(2)
    (kernel,) = [v for name, v in model.model_variables().items() if name == KERNEL]
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 1, np.nan, kernel))
    expected = rf"run: epoch 3, its end: found {KERNEL} .* not finite; expected finite .* checkpoint of epoch 2 stands"
    with pytest.raises(InputError, match=expected):
        guard.on_epoch_end(2)
