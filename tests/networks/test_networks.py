"""All networks: ranges, any size, what each output depends on, and gradients to every variable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import MODELS, PRESETS
from tf_msgan.models.make_model import make_model
from tf_msgan.networks.coarse_generator import build_coarse_generator
from tf_msgan.networks.discriminator import build_discriminator
from tf_msgan.networks.image_generator import build_image_generator
from tf_msgan.networks.latent_encoder import build_latent_encoder
from tf_msgan.networks.noise_generator import MAX_CHANGE, build_noise_generator
from tf_msgan.networks.refining_generator import build_refine_generator
from tf_msgan.networks.segmenting_discriminator import build_segmenting_discriminator
from tf_msgan.networks.unet import build_unet
from tf_msgan.preprocessing.normalisation import CLIP
from tf_msgan.preprocessing.reserved_values import BACKGROUND

MODALITIES, CLASSES, LATENT = 2, 4, 5
MARGIN = (8, 3, 4)


def noise(shape, channels=MODALITIES, seed=0):
    return tf.random.stateless_normal([2, *shape, channels], [seed, 1])


def latent(seed=3):
    return tf.random.stateless_normal([2, LATENT], [seed, 4])


# How each is built, and what it is given to draw patches of a shape.
NETWORKS = {
    "coarse": (
        lambda: build_coarse_generator(MODALITIES, CLASSES, 4, MARGIN),
        lambda shape: noise([n + 2 * m for n, m in zip(shape, MARGIN, strict=True)]),
    ),
    "refine": (
        lambda: build_refine_generator(MODALITIES, CLASSES, 4),
        lambda shape: [noise(shape), tf.sigmoid(noise(shape, 1))],
    ),
    "unet": (lambda: build_unet(MODALITIES, CLASSES, 4), noise),
    "discriminator": (lambda: build_discriminator(MODALITIES, CLASSES, 4), noise),
    "segmenting discriminator": (lambda: build_segmenting_discriminator(MODALITIES, CLASSES, 4), noise),
    "noise": (lambda: build_noise_generator(MODALITIES, LATENT, 4), lambda shape: [noise(shape), latent()]),
    "encoder": (lambda: build_latent_encoder(MODALITIES, LATENT, 4), noise),
}
JUDGES = ("discriminator", "segmenting discriminator")


@pytest.fixture(params=NETWORKS)
def network_and_input(request):
    keras.utils.set_random_seed(0)
    build, make_input = NETWORKS[request.param]
    return build(), make_input


def assert_gradients_reach_every_variable(network, inputs):
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(network(inputs, training=True))
        loss = sum(tf.reduce_sum(out * tf.random.stateless_normal(out.shape, [n, 0])) for n, out in enumerate(outputs))
    for variable, gradient in zip(
        network.trainable_variables, tape.gradient(loss, network.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.path
        assert np.abs(gradient.numpy()).max() > 0, variable.path


def test_gradients_reach_every_variable(network_and_input):
    network, make_input = network_and_input
    assert_gradients_reach_every_variable(network, make_input((16, 16, 16)))


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 19, 22), (33, 5, 8), (1, 2, 3)])
def test_any_size(network_and_input, shape):
    network, make_input = network_and_input
    for out in tf.nest.flatten(network(make_input(shape))):
        assert out.dtype == tf.float32
        assert np.isfinite(out.numpy()).all()
        if out.shape.rank == 5:
            assert tuple(out.shape[1:4]) == shape


def test_saved_networks_give_equal_outputs(network_and_input, tmp_path):
    network, make_input = network_and_input
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    inputs = make_input((9, 16, 10))
    for one, other in zip(tf.nest.flatten(network(inputs)), tf.nest.flatten(loaded(inputs)), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", ["coarse", "refine", "unet"])
def test_maps_are_probabilities_that_depend_on_the_image(name):
    keras.utils.set_random_seed(0)
    build, make_input = NETWORKS[name]
    network, inputs = build(), make_input((16, 16, 16))
    out = network(inputs).numpy()
    assert out.shape == (2, 16, 16, 16, CLASSES)
    assert out.min() >= 0
    assert np.allclose(out.sum(axis=-1), 1, atol=1e-5)
    # No class has all, and every voxel has its own map.
    assert out.mean(axis=(0, 1, 2, 3)).min() > 0.05 and out.std(axis=(1, 2, 3)).min() > 1e-3
    # The two images of the batch do not mix.
    first = network(tf.nest.map_structure(lambda x: x[:1], inputs)).numpy()
    assert np.allclose(first, out[:1], atol=1e-6) and np.abs(out[0] - out[1]).max() > 0.01


# The levels of its pyramid, and the convolutions of the encoder, at the bottom, and of the decoder, at each of them.
PYRAMIDS = {
    "coarse": (2, 1, 2, 1),
    "noise": (2, 1, 1, 1),
    "discriminator": (3, 2, 1, 1),
    "refine": (4, 2, 1, 1),
    "unet": (4, 2, 2, 2),
    "segmenting discriminator": (4, 2, 2, 2),
}


def reach(at, levels, encoder, bottom, decoder):
    """The first and the last voxel that the output at `at` depends on, by hand: from the output down to the bottom, and
    up to the image again."""
    low, high = at, at
    for _ in range(levels):
        low, high = (low - decoder) // 2, (high + decoder) // 2
    low, high = low - bottom, high + bottom
    for _ in range(levels):
        low, high = 2 * low - encoder, 2 * high + 1 + encoder
    return low, high


@pytest.mark.parametrize("name", PYRAMIDS)
@pytest.mark.parametrize("at", [96, 99])
def test_a_voxel_depends_on_its_surroundings_and_no_more(name, at):
    keras.utils.set_random_seed(0)
    build = NETWORKS[name][0] if name != "coarse" else lambda: build_coarse_generator(MODALITIES, CLASSES, 4)
    network, others = build(), {"refine": [tf.ones((1, 192, 8, 8, 1))], "noise": [latent()[:1]]}.get(name, [])
    x = tf.Variable(tf.random.stateless_normal((1, 192, 8, 8, MODALITIES), (0, 0)))
    with tf.GradientTape() as tape:
        out = tf.nest.flatten(network([x, *others] if others else x))[0]
        voxel = tf.reduce_sum(out[0, at, 4, 4] * np.arange(1, out.shape[-1] + 1))
    seen = np.flatnonzero(np.any(tape.gradient(voxel, x).numpy()[0] != 0, axis=(1, 2, 3)))
    low, high = reach(at, *PYRAMIDS[name])
    assert (seen.min(), seen.max()) == (max(low, 0), min(high, 191))
    # All between counts.
    assert len(seen) == seen.max() - seen.min() + 1


@pytest.mark.parametrize("name", PYRAMIDS)
def test_padding_is_background(name):
    """What a network adds at the far ends, to halve the image as often as it must, is what is outside a brain."""
    keras.utils.set_random_seed(0)
    build = NETWORKS[name][0] if name != "coarse" else lambda: build_coarse_generator(MODALITIES, CLASSES, 4)
    network, shape, multiple = build(), (13, 7, 18), 2 ** PYRAMIDS[name][0]

    def padded(x, value):
        ends = [(0, 0), *((0, -n % multiple) for n in shape), (0, 0)]
        return tf.pad(x, ends, constant_values=value)

    inputs, more = noise(shape), padded(noise(shape), BACKGROUND)
    if name == "refine":
        guide = tf.sigmoid(noise(shape, 1))
        inputs, more = [inputs, guide], [more, padded(guide, 0.0)]
    elif name == "noise":
        inputs, more = [inputs, latent()], [more, latent()]
    one, other = (tf.nest.flatten(network(x))[0].numpy() for x in (inputs, more))
    i, j, k = shape
    assert np.allclose(one, other[:, :i, :j, :k], atol=1e-5)


@pytest.mark.parametrize("name", JUDGES)
def test_judges_give_logits_of_the_real_classes_and_features(name):
    keras.utils.set_random_seed(0)
    build, make_input = NETWORKS[name]
    network, deepest = build(), {"discriminator": 4 << 3, "segmenting discriminator": 7 * 4}[name]
    logits, features = network(make_input((16, 16, 16)))
    assert logits.shape == (2, 16, 16, 16, CLASSES)
    assert features.shape == (2, deepest)
    # Logits are of either sign, and do not sum to anything.
    assert np.min(logits) < 0 < np.max(logits) and np.std(np.sum(logits, axis=-1)) > 0.01
    # Features are of each image by itself, and means over it: of one that is the same everywhere, but for its border,
    # they do not hang on the size.
    features = features.numpy()
    assert np.abs(features[0] - features[1]).max() > 0.1 * np.abs(features).max()
    assert np.allclose(network(make_input((16, 16, 16))[:1])[1], features[:1], atol=1e-6)
    small, large = (network(tf.ones((1, n, n, n, MODALITIES)))[1].numpy() for n in (96, 128))
    assert np.abs(small - large).max() < 0.2 * np.abs(large).max()


def test_noise_changes_the_brain_alone_and_with_z():
    keras.utils.set_random_seed(0)
    network = build_noise_generator(MODALITIES, LATENT, 4)
    x = noise((16, 16, 16)).numpy()
    x[:, :5] = BACKGROUND
    one, other = (network([tf.constant(x), latent(seed)]).numpy() for seed in range(2))
    assert np.array_equal(one[:, :5], x[:, :5])
    assert np.abs(one - x).max() <= MAX_CHANGE
    assert np.abs(one - other)[:, 5:].mean() > 0.01
    # And is the same for the same z.
    assert np.array_equal(network([tf.constant(x), latent(0)]).numpy(), one)


def test_the_encoder_says_what_z_was_and_how_sure_it_is():
    keras.utils.set_random_seed(0)
    network = build_latent_encoder(MODALITIES, LATENT, 4)
    mean, log_variance = (out.numpy() for out in network(noise((16, 16, 16))))
    assert mean.shape == log_variance.shape == (2, LATENT)
    # At first it is as sure of everything: a variance of 1.
    assert not log_variance.any() and np.abs(mean[0] - mean[1]).max() > 1e-3


@pytest.mark.parametrize("classes", [0, CLASSES])
def test_images_out_of_nothing_are_within_their_range(classes):
    keras.utils.set_random_seed(0)
    patch = (16, 8, 24)
    network = build_image_generator(MODALITIES, patch, LATENT, 4, classes)
    wanted = [tf.one_hot(tf.fill((2, *patch), n), CLASSES) for n in range(2)] if classes else [None, None]

    def draw(z, labels):
        return network([z, labels] if classes else z).numpy()

    one = draw(latent(0), wanted[0])
    assert one.shape == (2, *patch, MODALITIES) and one.dtype == np.float32
    assert 0.1 < np.abs(one).max() <= CLIP and one.min() < 0 < one.max()
    assert np.abs(draw(1000 * latent(0), wanted[0])).max() <= CLIP
    assert np.abs(one - draw(latent(1), wanted[0])).max() > 1e-3
    if classes:
        assert np.abs(one - draw(latent(0), wanted[1])).max() > 1e-3
    inputs = [latent(0), wanted[0]] if classes else latent(0)
    assert_gradients_reach_every_variable(network, inputs)


# Of the paper's two modalities and three tissues.
PARAMETERS = {
    "unet": {"unet": 1_847_540},
    "standard-gan": {"generator": 127_554, "discriminator": 1_847_540},
    "one-stage": {"refine": 1_819_764, "discriminator": 813_284},
    "multi-stage": {
        **{"coarse": 67_914, "noise": 42_138, "encoder": 18_824},
        **{"refine": 1_831_012, "discriminator": 813_284},
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_parameters_of_networks_as_large_as_the_papers(name):
    config = PRESETS["paper"]
    model = make_model(("T1", "T2"), ("CSF", "GM", "WM"), type(config)(**{**vars(config), "model": name}))
    assert {network: net.count_params() for network, net in model.networks().items()} == PARAMETERS[name]
