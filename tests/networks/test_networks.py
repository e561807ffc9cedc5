"""The five networks: shapes, ranges, any size, and gradients to every variable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.networks.coarse_generator import build_coarse_generator
from tf_msgan.networks.discriminator import build_discriminator
from tf_msgan.networks.latent_encoder import build_latent_encoder
from tf_msgan.networks.noise_generator import MAX_CHANGE, build_noise_generator
from tf_msgan.networks.refining_generator import build_refine_generator
from tf_msgan.preprocessing.reserved_values import BACKGROUND

MODALITIES, CLASSES, LATENT = 2, 4, 5
MARGIN = (8, 3, 4)


def image(shape, channels=MODALITIES, seed=0):
    return tf.random.stateless_normal([2, *shape, channels], [seed, 1])


NETWORKS = {
    "coarse": (
        lambda: build_coarse_generator(MODALITIES, CLASSES, 4, MARGIN),
        lambda shape: image([n + 2 * m for n, m in zip(shape, MARGIN, strict=True)]),
    ),
    "refine": (
        lambda: build_refine_generator(MODALITIES, CLASSES, 4),
        lambda shape: [image(shape), tf.sigmoid(image(shape, 1))],
    ),
    "discriminator": (lambda: build_discriminator(MODALITIES, CLASSES, 4), lambda shape: image(shape)),
    "noise": (
        lambda: build_noise_generator(MODALITIES, LATENT, 4),
        lambda shape: [image(shape), tf.random.stateless_normal([2, LATENT], [3, 4])],
    ),
    "encoder": (lambda: build_latent_encoder(MODALITIES, LATENT, 4), lambda shape: image(shape)),
}


@pytest.fixture(params=NETWORKS)
def network_and_input(request):
    keras.utils.set_random_seed(0)
    build, make_input = NETWORKS[request.param]
    return build(), make_input


def test_gradients_reach_every_variable(network_and_input):
    network, make_input = network_and_input
    inputs = make_input((16, 16, 16))
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(network(inputs, training=True))
        loss = sum(tf.reduce_sum(out * tf.random.stateless_normal(out.shape, [n, 0])) for n, out in enumerate(outputs))
    for variable, gradient in zip(
        network.trainable_variables, tape.gradient(loss, network.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.path
        assert np.abs(gradient.numpy()).max() > 0, variable.path


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 19, 22), (33, 5, 8), (1, 2, 3)])
def test_any_size(network_and_input, shape):
    network, make_input = network_and_input
    for out in tf.nest.flatten(network(make_input(shape))):
        assert out.dtype == tf.float32
        assert np.isfinite(out.numpy()).all()
        if out.shape.rank == 5:
            assert tuple(out.shape[1:4]) == shape


@pytest.mark.parametrize("margin", [(8, 8, 8), (1, 2, 3), (4, 5, 6), (7, 12, 16)])
def test_the_coarse_generator_draws_the_middle_of_what_it_is_shown(margin):
    """As if it had drawn all, and its margin been cut off."""
    keras.utils.set_random_seed(0)
    whole, middle = (build_coarse_generator(MODALITIES, CLASSES, 4, ends) for ends in ((0, 0, 0), margin))
    middle.set_weights(whole.get_weights())
    x = image((40, 42, 47))
    i, j, k = (slice(n, size - n) for n, size in zip(margin, x.shape[1:4], strict=True))
    assert np.allclose(middle(x), whole(x)[:, i, j, k], atol=1e-5)


def test_saved_networks_give_equal_outputs(network_and_input, tmp_path):
    network, make_input = network_and_input
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    inputs = make_input((9, 16, 10))
    for one, other in zip(tf.nest.flatten(network(inputs)), tf.nest.flatten(loaded(inputs)), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", ["coarse", "refine"])
def test_maps_are_probabilities(name):
    build, make_input = NETWORKS[name]
    out = build()(make_input((16, 16, 16))).numpy()
    assert out.shape[-1] == CLASSES
    assert out.min() >= 0
    assert np.allclose(out.sum(axis=-1), 1, atol=1e-5)


def test_discriminator_gives_logits_of_the_real_classes_and_features():
    logits, features = build_discriminator(MODALITIES, CLASSES, 4)(image((16, 16, 16)))
    assert logits.shape == (2, 16, 16, 16, CLASSES)
    assert features.shape == (2, 4 << 3)


def test_noise_changes_the_brain_alone_and_with_z():
    keras.utils.set_random_seed(0)
    network = build_noise_generator(MODALITIES, LATENT, 4)
    x = image((16, 16, 16)).numpy()
    x[:, :5] = BACKGROUND
    latents = [tf.random.stateless_normal([2, LATENT], [n, 0]) for n in range(2)]
    one, other = (network([tf.constant(x), z]).numpy() for z in latents)
    assert np.array_equal(one[:, :5], x[:, :5])
    assert np.abs(one - x).max() <= MAX_CHANGE
    assert np.abs(one - other)[:, 5:].mean() > 0.01


def test_refiner_takes_every_encoder_level_at_every_decoder_level():
    network = build_refine_generator(MODALITIES, CLASSES, 4, skip_width=3)
    merges = [layer for layer in network.layers if isinstance(layer, keras.layers.Concatenate)]
    # One merge of the two inputs, four in the encoder, and four in the decoder of 5 tensors each:
    # the deconvolution, the level's own encoder block, and the three others.
    assert [len(layer.input) for layer in merges if len(layer.input) > 2] == [5] * 4
    assert sum(isinstance(layer, keras.layers.Conv3DTranspose) for layer in network.layers) == 4


@pytest.mark.parametrize("guides", [1, 3])
def test_refiner_uses_the_coarse_map(guides):
    keras.utils.set_random_seed(0)
    network = build_refine_generator(MODALITIES, CLASSES, 4, guides=guides)
    x = image((16, 16, 16))
    none, full = (network([x, tf.fill((2, 16, 16, 16, guides), value)]).numpy() for value in (0.0, 1.0))
    assert np.abs(none - full).max() > 1e-4
