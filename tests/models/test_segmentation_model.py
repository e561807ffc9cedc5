"""The four models under one trainer, and the GAN family in each of those that have a D."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import train
from tf_msgan.config import GANS, MODELS, Config
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.errors import InputError
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.models import losses, standard_gan
from tf_msgan.models.gan_losses import GAN_LOSSES, agreement
from tf_msgan.models.make_model import make_model
from tf_msgan.training.build_model import build_model

pytestmark = pytest.mark.integration

TISSUES = ("CSF", "GM", "WM")


ADVERSARIAL = tuple(name for name in MODELS if name != "unet")


def configured(config, model, gan="nsgan", **training):
    loss = dataclasses.replace(config.loss, gan=gan)
    return dataclasses.replace(config, model=model, loss=loss).with_training(**training)


def trainable(model):
    return {
        (name, number): variable.numpy()
        for name, network in model.networks().items()
        for number, variable in enumerate(network.trainable_variables)
    }


def test_segmenters_have_equal_size():
    """Whoever segments is of the refiner's size, to 5 %."""
    segmenters = {"unet": "unet", "standard-gan": "discriminator", "one-stage": "refine", "multi-stage": "refine"}
    sizes = {
        name: getattr(make_model(("T1", "T2"), TISSUES, Config(name)), net).count_params()
        for name, net in segmenters.items()
    }
    assert set(sizes) == set(MODELS)
    assert all(abs(size / sizes["multi-stage"] - 1) < 0.05 for size in sizes.values()), sizes


def test_wgan_keeps_a_segmenting_d_within_bounds_before_the_adversarial_phase_too(tiny_config, tiny_batch):
    loss = dataclasses.replace(tiny_config.loss, gan="wgan", clip_weights=0.05)
    model = build_model(("T1", "T2"), TISSUES, dataclasses.replace(tiny_config, model="standard-gan", loss=loss))
    train(model, {"labelled": tiny_batch["labelled"]})
    assert max(np.abs(weight).max() for weight in model.discriminator.get_weights()) <= np.float32(0.05)


def test_a_segmenting_d_has_judged_nothing_before_the_adversarial_phase(tiny_config):
    model = build_model(
        ("T1", "T2"), TISSUES, configured(tiny_config, "standard-gan", epochs=4, steps_per_epoch=5, labels_first=0.5)
    )
    for step, judged in ((0, False), (10, False), (11, True)):
        model.steps.assign(step)
        assert model.has_adversarial_steps == judged


def test_a_segmenting_d_is_kept_from_holding_all_for_real_before_the_adversarial_phase(
    tiny_config, tiny_batch, monkeypatch
):
    def level(weight):
        monkeypatch.setattr(standard_gan, "LEVEL", weight)
        model = build_model(("T1", "T2"), TISSUES, configured(tiny_config, "standard-gan", lr=3e-2, epochs=99))
        bias = model.discriminator.get_layer("class_logits").bias
        bias.assign(bias + 2)
        train(model, {"labelled": tiny_batch["labelled"]}, steps=8)
        logits, _ = model.discriminator(tiny_batch["unlabelled"]["image"], training=False)
        return float(losses.level_loss(logits))

    assert level(standard_gan.LEVEL) < 0.7 * level(0.0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, []) for name in MODELS),
        ("multi-stage", ["network.outlines=false"]),
        ("multi-stage", ["network.variants=false"]),
    ],
)
def test_as_many_patches_run_through_a_network_as_it_declares(name, settings, tiny_config, tiny_batch, monkeypatch):
    """By which the memory of a training is foretold."""
    config = configured(tiny_config, name, unlabelled_share=0.5).with_fields(settings)
    model = build_model(("T1", "T2"), TISSUES, config)
    assert config.training.batch_sizes == (2, 1)
    batch = {"labelled": tiny_batch["labelled"]}
    if config.has_adversarial_phase:
        batch["unlabelled"] = {key: value[:1] for key, value in tiny_batch["unlabelled"].items()}
    networks = {id(network): name for name, network in model.networks().items()}
    seen = dict.fromkeys(networks.values(), 0)
    call = keras.Model.__call__

    def counted(network, inputs, *arguments, **named):
        if id(network) in networks:
            seen[networks[id(network)]] += (inputs[0] if isinstance(inputs, list) else inputs).shape[0]
        return call(network, inputs, *arguments, **named)

    monkeypatch.setattr(keras.Model, "__call__", counted)
    model.train_step(batch)
    assert seen == {name: model.patches_seen(name) for name in seen}
    unlabelled = [n.unlabelled for learner in model.learners.values() for n in learner.networks.values()]
    assert any(unlabelled) == config.has_adversarial_phase


@pytest.mark.parametrize("name", [name for name in MODELS if name != "multi-stage"])
def test_two_steps_change_every_variable_and_report_every_term(name, tiny_config, tiny_batch):
    model = build_model(("T1", "T2"), TISSUES, configured(tiny_config, name))
    before = trainable(model)
    batch = tiny_batch if model.config.has_adversarial_phase else {"labelled": tiny_batch["labelled"]}
    logs = train(model, batch, steps=2)
    for key, value in trainable(model).items():
        assert not np.array_equal(value, before[key]), key
        assert np.isfinite(value).all(), key
    dice = {"dice", *(f"dice_{tissue}" for tissue in TISSUES)}
    norms = {f"{learner}_gradient" for learner in model.learners}
    assert set(logs) == {*model.reported_terms, *norms, *dice}
    assert all(0 < value[0] < 1 for key, value in logs.items() if key.startswith("real_"))
    assert int(model.steps) == 2


@pytest.mark.parametrize(("name", "outlines"), [*((name, "true") for name in MODELS), ("multi-stage", "false")])
def test_the_rate_in_the_history_is_of_who_learns_from_labels(name, outlines, tiny_config, monkeypatch):
    config = configured(tiny_config, name, epochs=4, labels_first=0.5, lr=0.1)
    model = build_model(("T1", "T2"), TISSUES, config.with_fields([f"network.outlines={outlines}"]))
    # A step that learns nothing sets the rates all the same.
    monkeypatch.setattr(model, "supervised_step", lambda labelled: {})
    model.train_step({"labelled": None})
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(0.1)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_segments_a_scan(name, tiny_config, tiny_cohort):
    """Untrained maps are of the scan's shape, and probabilities; what a model lacks is None."""
    model = make_model(("T1", "T2"), TISSUES, configured(tiny_config, name))
    image = load_scan(tiny_cohort, "4", with_labels=False).image + 5
    result = Segmenter(model, tile=32, with_p_real=True, with_outline=True)(image)
    assert result.labels.shape == image.shape[:3]
    assert np.allclose(result.probabilities.sum(axis=-1), 1, atol=1e-5)
    assert (result.outline is None) == (name != "multi-stage")
    assert (result.p_real is None) == (name == "unet")


@pytest.mark.parametrize(("name", "gan"), [*((name, "nsgan") for name in MODELS), ("standard-gan", "acgan")])
def test_samples_are_pictures(name, gan, tiny_config, tiny_batch):
    model = make_model(("T1", "T2"), TISSUES, configured(tiny_config, name, gan))
    patch = {key: tiny_batch["unlabelled"][key][:1] for key in ("image", "context")}
    for key, value in model.samples(patch).items():
        assert value.shape[0] == 1 and value.shape[-1] in (1, 4), key


@pytest.mark.slow
@pytest.mark.parametrize("gan", [name for name in GANS if name != "nsgan"])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_every_gan_loss_trains_without_diverging(name, gan, tiny_config, tiny_batch):
    check_gan_loss(name, gan, tiny_config, tiny_batch)


@pytest.mark.parametrize("gan", GANS)
def test_a_step_with_every_gan_loss_has_its_own_terms(gan, tiny_config, tiny_batch):
    """That trainings do not diverge is for `test_every_gan_loss_trains_without_diverging`."""
    model = build_model(("T1", "T2"), TISSUES, configured(tiny_config, "standard-gan", gan))
    logs = train(model, tiny_batch)
    assert all(np.isfinite(logs[term][0]) for term in model.loss_terms)
    assert (logs["d_penalty"][0] > 0) == GAN_LOSSES[gan].penalised
    assert (logs["d_named"][0] > 0) == GAN_LOSSES[gan].names_fakes
    bound = tiny_config.loss.clip_weights + 1e-6
    clipped = all(np.abs(v.numpy()).max() <= bound for v in model.discriminator.trainable_variables)
    assert clipped == GAN_LOSSES[gan].clips


def check_gan_loss(name, gan, tiny_config, tiny_batch):
    """Forty steps of two labelled patches and one unlabelled: all stays finite and within reason, and the labels are
    learned better than at the start."""
    tiny_batch = {**tiny_batch, "unlabelled": {name: v[:1] for name, v in tiny_batch["unlabelled"].items()}}
    config = configured(tiny_config, name, gan, lr=2e-3, epochs=2, steps_per_epoch=20)
    model = build_model(("T1", "T2"), TISSUES, config)
    supervised = next(term for term in ("g3_labelled", "g_labelled", "d_labelled") if term in model.loss_terms)
    first = train(model, tiny_batch, steps=10)
    last = train(model, tiny_batch, steps=30)
    for term in model.loss_terms:
        assert np.isfinite(last[term][0]) and abs(last[term][0]) < 1e3, term
    assert last[supervised][0] < first[supervised][0]
    if GAN_LOSSES[gan].clips:
        bound = config.loss.clip_weights
        assert all(np.abs(v.numpy()).max() <= bound + 1e-6 for v in model.discriminator.trainable_variables)
    assert (last["d_penalty"][0] > 0) == GAN_LOSSES[gan].penalised
    if "d_named" in model.loss_terms:
        assert (last["d_named"][0] > 0) == GAN_LOSSES[gan].names_fakes


def test_the_standard_gans_images_depend_on_z_and_wanted_labels(tiny_config, tiny_batch):
    model = make_model(("T1", "T2"), TISSUES, configured(tiny_config, "standard-gan", "acgan"))
    z = [tf.random.stateless_normal((2, tiny_config.network.latent), [n, 0]) for n in range(2)]
    wanted = [tf.one_hot(tf.fill((2, 16, 16, 16), n), 4) for n in range(2)]
    one = model.generator([z[0], wanted[0]]).numpy()
    assert one.shape == (2, 16, 16, 16, 2) and np.abs(one).max() <= 5
    assert np.abs(one - model.generator([z[1], wanted[0]]).numpy()).max() > 1e-3
    assert np.abs(one - model.generator([z[0], wanted[1]]).numpy()).max() > 1e-3


def test_one_stage_d_scores_what_is_drawn(tiny_config, tiny_batch):
    """The D of the one-stage model learns to score a scan with its labels above the same scan with wrong ones."""
    config = configured(tiny_config, "one-stage", lr=1e-2, epochs=1, steps_per_epoch=100)
    model = build_model(("T1", "T2"), TISSUES, config)
    train(model, tiny_batch, steps=30)
    x, y = tiny_batch["labelled"]["image"], tiny_batch["labelled"]["labels"]
    right, wrong = (tf.one_hot((y + shift) % 4, 4) for shift in (0, 1))
    logits, _ = model.discriminator(x)
    scores = [tf.reduce_mean(agreement(logits, tf.math.log(drawn + losses.TINY))) for drawn in (right, wrong)]
    assert scores[0] > scores[1] + 1


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_p_real_is_that_of_ds_average(name, tiny_config, tiny_batch):
    model = make_model(("T1", "T2"), TISSUES, configured(tiny_config, name))
    image = tiny_batch["labelled"]["image"]
    logits = model.discriminator_average(image)[0].numpy().astype(float)
    for variable in model.discriminator.variables:
        variable.assign(variable * 0)
    z = np.exp(logits).sum(axis=-1)
    assert model.judge(image).numpy() == pytest.approx(z / (z + 1), abs=1e-5)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_before_the_adversarial_phase_only_who_segments_learns(name, tiny_config, tiny_batch):
    model = build_model(("T1", "T2"), TISSUES, configured(tiny_config, name))
    before = trainable(model)
    logs = train(model, {"labelled": tiny_batch["labelled"]}, steps=2)
    moved = {key[0] for key, value in trainable(model).items() if not np.array_equal(value, before[key])}
    segmenters = {"multi-stage": {"coarse", "refine"}, "one-stage": {"refine"}, "standard-gan": {"discriminator"}}
    assert moved == segmenters[name]
    # Nothing is reported of an adversarial phase that has not begun.
    learners = {name for name, learner in model.learners.items() if moved & set(learner.networks)}
    assert {key for key in logs if key.endswith("_gradient")} == {f"{learner}_gradient" for learner in learners}
    assert not {"d_fake", "real_labelled", "real_unlabelled", "real_fake", "variants_apart"} & set(logs)
    assert all(np.isfinite(value[0]) for value in logs.values())


@pytest.mark.parametrize(("left_out", "missing"), [("outlines", {"coarse"}), ("variants", {"noise", "encoder"})])
def test_multi_stage_without_a_stage(left_out, missing, tiny_config, tiny_batch, tiny_cohort):
    network = dataclasses.replace(tiny_config.network, **{left_out: False})
    model = build_model(("T1", "T2"), TISSUES, dataclasses.replace(tiny_config, network=network))
    assert set(make_model(("T1", "T2"), TISSUES, tiny_config).networks()) - set(model.networks()) == missing
    before = trainable(model)
    logs = train(model, tiny_batch, steps=2)
    assert all(not np.array_equal(value, before[key]) for key, value in trainable(model).items())
    assert all(np.isfinite(logs[term][0]) for term in model.loss_terms)
    patch = {key: tiny_batch["unlabelled"][key][:1] for key in ("image", "context")}
    assert "image" in model.samples(patch)
    image = load_scan(tiny_cohort, "4", with_labels=False).image + 5
    assert (Segmenter(model, tile=32, with_outline=True)(image).outline is None) == (left_out == "outlines")


def test_a_coarse_stage_that_outlines_the_brain_alone(tiny_config, tiny_batch):
    """As the paper has it: its outline is multiplied into the tissues, and D's opinion of it is one of brain."""
    network = dataclasses.replace(tiny_config.network, coarse_tissues=False, fused=True)
    model = build_model(("T1", "T2"), TISSUES, dataclasses.replace(tiny_config, network=network))
    assert model.coarse.output_shape[-1] == 2
    before = trainable(model)
    logs = train(model, tiny_batch, steps=2)
    assert all(not np.array_equal(value, before[key]) for key, value in trainable(model).items())
    assert all(np.isfinite(logs[term][0]) for term in model.loss_terms)
    patch = {key: tiny_batch["unlabelled"][key][:1] for key in ("image", "context")}
    maps = model.samples(patch)
    assert maps["coarse"].shape[-1] == 1 and maps["drawn"].shape[-1] == 4
    # Where G1 is sure that there is no brain, nothing else may be drawn.
    drawn = model.fuse(tf.zeros_like(maps["coarse"]), maps["refined"])
    assert np.all(np.argmax(drawn, axis=-1) == 0)


def test_a_multi_stage_model_has_a_stage():
    with pytest.raises(InputError, match="one of them at least"):
        Config().with_fields(["network.outlines=false", "network.variants=false"])


@pytest.mark.parametrize("name", ["unet", "standard-gan", "one-stage", "multi-stage"])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_variables_have_paths(name, precision, tiny_config):
    """Another model of the same process has the same, whatever Keras has numbered since."""
    config = Config(name, network=tiny_config.network).with_training(precision=precision)
    models = [build_model(("T1", "T2"), ("CSF", "GM", "WM"), config) for _ in range(2)]
    first, second = ([*model.model_variables(), *model.optimizer_variables()] for model in models)
    assert first == second and len(set(first)) == len(first)


def test_no_layer_is_named_by_keras(tiny_config):
    """Keras's own names count the layers that the process has made."""
    for name in ("unet", "standard-gan", "one-stage", "multi-stage"):
        networks = [
            build_model(("T1", "T2"), ("CSF", "GM", "WM"), Config(name, network=tiny_config.network)).networks()
            for _ in range(2)
        ]
        for one, other in zip(*(made.values() for made in networks), strict=True):
            assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
