"""The optimiser, against a singular value decomposition and Keras's AdamW."""

import keras
import numpy as np
import pytest

from tf_msgan.training.muon import KernelMuon

RATE = 0.01


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((4, 4, 4, 2)),
            keras.layers.Conv3D(5, 3, padding="same", name="convolution"),
            keras.layers.Conv3DTranspose(6, 2, strides=2, name="deconvolution"),
            keras.layers.Conv3D(3, 1, name="tissue_logits"),
        ]
    )


def steps(optimizer, gradients, count=1):
    """How far each variable of a network is moved, by its path without the network's name."""
    model = network()
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer.build(model.trainable_variables)
    for _ in range(count):
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return {
        variable.path.split("/", 1)[1]: variable.numpy() - old
        for variable, old in zip(model.trainable_variables, before, strict=True)
    }


@pytest.fixture
def gradients():
    random = np.random.default_rng(0)
    return [random.normal(size=variable.shape).astype("float32") for variable in network().trainable_variables]


@pytest.mark.parametrize(("path", "number"), [("convolution/kernel", 0), ("deconvolution/kernel", 2)])
def test_a_kernel_moves_along_the_orthogonal_factor_of_its_gradient(gradients, path, number):
    step = steps(KernelMuon(RATE, weight_decay=0, adam_weight_decay=0), gradients)[path]
    kernel = gradients[number].reshape(-1, gradients[number].shape[-1])
    left, _, right = np.linalg.svd(kernel, full_matrices=False)
    # As large as AdamW's: 0.2 of the rate, where the kernel has equally long rows.
    along = -left.T @ step.reshape(kernel.shape) @ right.T / (0.2 * RATE * np.sqrt(max(kernel.shape)))
    # Five iterations of Newton and Schulz take singular values to somewhere within 0.68..1.13 (Jordan et al. 2024).
    assert np.all((np.diag(along) > 0.65) & (np.diag(along) < 1.2))
    assert np.abs(along - np.diag(np.diag(along))).max() < 1e-3
    assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2 * RATE, rel=0.25)


@pytest.mark.parametrize("shape", [(54, 16), (1728, 64), (16, 64), (8, 8)])
@pytest.mark.parametrize("digits", [0, 3, 8])
def test_the_orthogonal_factor_is_what_keras_makes(shape, digits):
    """However far singular values lie apart: by so many digits."""
    random = np.random.default_rng(0)
    left, values, right = np.linalg.svd(random.normal(size=shape), full_matrices=False)
    matrix = keras.ops.convert_to_tensor((left * np.logspace(0, -digits, len(values))) @ right, "float32")
    optimizer = KernelMuon(RATE)
    ours = optimizer.zeropower_via_newtonschulz5(matrix, 5).numpy()
    theirs = keras.optimizers.Muon.zeropower_via_newtonschulz5(optimizer, matrix, 5).numpy()
    assert np.abs(ours - theirs).max() < 0.02 * np.sqrt(np.mean(theirs**2))


def test_biases_and_heads_move_as_by_adamw(gradients):
    ours = steps(KernelMuon(RATE, weight_decay=0.1, adam_weight_decay=0.1), gradients, count=3)
    theirs = steps(keras.optimizers.AdamW(RATE, weight_decay=0.1), gradients, count=3)
    rest = {path for path in theirs if "bias" in path or "logits" in path}
    assert len(rest) == 4
    for path in rest:
        assert ours[path] == pytest.approx(theirs[path], abs=1e-7)


def test_kernels_decay():
    zeros = [np.zeros(variable.shape, "float32") for variable in network().trainable_variables]
    kernel = network().trainable_variables[0].numpy()
    step = steps(KernelMuon(RATE, weight_decay=0.1, adam_weight_decay=0), zeros)["convolution/kernel"]
    assert step == pytest.approx(-RATE * 0.1 * kernel, abs=1e-7)
