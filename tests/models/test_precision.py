"""Mixed precision: each of the four optimisers must make the step that float32 makes."""

import keras
import numpy as np
import pytest

from tests.conftest import train
from tf_msgan.training.build_model import build_model

pytestmark = pytest.mark.integration

TISSUES = ("CSF", "GM", "WM")


NAMES = ("coarse", "noise", "refine", "discriminator")


RATE = 0.01


def sgd_model(config, precision):
    """Plain descent, so that a gradient that is too small by a factor shows: Adam would hide it."""
    model = build_model(("T1", "T2"), TISSUES, config.with_training(precision=precision, clip_norm=1e6))

    def optimizer():
        sgd = keras.optimizers.SGD(RATE)
        return keras.optimizers.LossScaleOptimizer(sgd, initial_scale=2.0**12) if precision == "mixed_float16" else sgd

    model.compile(**{f"{name}_optimizer": optimizer() for name in NAMES})
    return model


def networks(model):
    return {
        name: model.noise.variables + model.encoder.variables if name == "noise" else getattr(model, name).variables
        for name in NAMES
    }


def values(model):
    return {name: [v.numpy() for v in variables] for name, variables in networks(model).items()}


def step(model, tiny_batch):
    """What a step adds to each network's weights, as one vector, and its logs."""
    before = values(model)
    logs = train(model, tiny_batch)
    after = values(model)
    return {
        name: np.concatenate([(b - a).ravel() for a, b in zip(before[name], after[name], strict=True)])
        for name in NAMES
    }, logs


@pytest.fixture(scope="module")
def float32_step(tiny_config, tiny_batch):
    return step(sgd_model(tiny_config, "float32"), tiny_batch)[0]


@pytest.mark.parametrize(("precision", "tolerance"), [("mixed_float16", 0.05), ("mixed_bfloat16", 0.15)])
def test_step_equals_that_of_float32(tiny_config, tiny_batch, float32_step, precision, tolerance):
    got, logs = step(sgd_model(tiny_config, precision), tiny_batch)
    for name, expected in float32_step.items():
        size = np.linalg.norm(expected)
        assert size > 0
        assert np.linalg.norm(got[name] - expected) < tolerance * size, name
    assert np.isfinite(logs["d_loss"]).all()


def test_a_gradient_that_overflows_skips_the_step(tiny_config, tiny_batch):
    model = build_model(("T1", "T2"), TISSUES, tiny_config.with_training(precision="mixed_float16"))
    optimizers = [getattr(model, f"{name}_optimizer") for name in NAMES]
    for optimizer in optimizers:
        optimizer.dynamic_scale.assign(2.0**120)
    before = values(model)
    train(model, tiny_batch, graph=True)
    for name, after in values(model).items():
        assert all(np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)), name
    for optimizer in optimizers:
        assert float(optimizer.dynamic_scale) == 2.0**119
        assert int(optimizer.iterations) == 0
        # The next step, at a scale that fits, is made.
        optimizer.dynamic_scale.assign(2.0**10)
    logs = train(model, tiny_batch, graph=True)
    for name, after in values(model).items():
        assert any(not np.array_equal(a, b) for a, b in zip(before[name], after, strict=True)), name
        assert all(np.isfinite(value).all() for value in after), name
    assert np.isfinite(logs["refine_gradient"]).all()


def test_outputs_are_float32_and_layers_are_not(tiny_config, tiny_batch):
    model = build_model(("T1", "T2"), TISSUES, tiny_config.with_training(precision="mixed_bfloat16"))
    assert model(tiny_batch["labelled"]).dtype == "float32"
    for network in model.networks().values():
        assert {output.dtype for output in network.outputs} == {"float32"}
        assert any(layer.compute_dtype == "bfloat16" for layer in network.layers)
        assert all(variable.dtype == "float32" for variable in network.variables)


def test_optimisers_that_do_not_scale_are_refused(tiny_config):
    model = build_model(("T1", "T2"), TISSUES, tiny_config.with_training(precision="mixed_float16"))
    with pytest.raises(ValueError, match="mixed_float16: received"):
        model.compile(**{f"{name}_optimizer": keras.optimizers.SGD(0.1) for name in NAMES})


def test_gradients_that_overflow_show_but_under_float16(tiny_config):
    """There alone the step is skipped."""
    for precision, skipped in (("float32", False), ("mixed_bfloat16", False), ("mixed_float16", True)):
        model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), tiny_config.with_training(precision=precision))
        model.norms.update_state({"noise_gradient": np.inf})
        assert np.isfinite(model.norms.result()["noise_gradient"]) == skipped
