"""The model that trains: steps, gradients, saving."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import train
from tf_msgan.config import Preparation
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.evaluation.metrics import dice
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.patches.scan_source import hold_scans
from tf_msgan.patches.streams import validation_stream
from tf_msgan.preprocessing.reserved_values import IGNORE
from tf_msgan.training.build_model import build_model

pytestmark = pytest.mark.integration

TISSUES = ("CSF", "GM", "WM")


def weights(model):
    """Trainable variables by network and number."""
    return {
        (name, number): variable.numpy()
        for name, network in model.networks().items()
        for number, variable in enumerate(network.trainable_variables)
    }


def test_two_steps_change_every_variable_and_report_every_term(tiny_config, tiny_batch):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    before = weights(model)
    # Two steps: the first has coarse and refined maps of random networks, the second has slots.
    logs = train(model, tiny_batch, steps=2)
    for name, value in weights(model).items():
        assert not np.array_equal(value, before[name]), name
        assert np.isfinite(value).all(), name

    norms = [f"{name}_gradient" for name in model.learners]
    dice = {"dice", *(f"dice_{tissue}" for tissue in TISSUES)}
    assert set(logs) == {*model.reported_terms, *norms, *dice}
    assert all(0 < logs[name][0] < 1 for name in ("real_labelled", "real_unlabelled", "real_fake"))
    assert all(logs[name][0] > 0 for name in ("variants_apart", *norms))
    weight = tiny_config.loss
    assert logs["d_loss"][0] == pytest.approx(
        logs["d_labelled"][0] + weight.unlabelled * logs["d_unlabelled"][0] + weight.fake * logs["d_fake"][0], rel=1e-4
    )
    assert logs["g3_loss"][0] == pytest.approx(
        logs["g3_labelled"][0] + weight.prediction * logs["g3_opinion"][0], rel=1e-4
    )


def test_each_network_learns_from_its_own_loss(tiny_config, tiny_batch):
    """With a learning rate of 0 everywhere else, a step moves one network alone."""
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    for moving in ("coarse", "noise", "refine", "discriminator"):
        model.compile(
            **{
                f"{name}_optimizer": keras.optimizers.SGD(0.1 if name == moving else 0.0)
                for name in ("coarse", "noise", "refine", "discriminator")
            }
        )
        before = weights(model)
        train(model, tiny_batch)
        moved = {name for (name, number), value in weights(model).items() if np.any(value != before[name, number])}
        assert moved == ({"noise", "encoder"} if moving == "noise" else {moving})


def test_prediction_term_ramps_up(tiny_config):
    loss = dataclasses.replace(tiny_config.loss, prediction=0.1, prediction_ramp_steps=2)
    model = build_model(("T1", "T2"), TISSUES, dataclasses.replace(tiny_config, loss=loss))
    weights = []
    for step in range(4):
        model.steps.assign(step)
        weights.append(float(model.prediction_weight()))
    assert weights == pytest.approx([0.05, 0.1, 0.1, 0.1])


def test_prediction_term_waits_for_the_adversarial_phase(tiny_config):
    loss = dataclasses.replace(tiny_config.loss, prediction=0.1, prediction_ramp_steps=4)
    config = dataclasses.replace(tiny_config, loss=loss).with_training(epochs=4, steps_per_epoch=5, labels_first=0.5)
    model = build_model(("T1", "T2"), TISSUES, config)
    model.steps.assign(2 * 5)
    assert float(model.prediction_weight()) == pytest.approx(0.025)


def test_who_begins_with_the_adversarial_phase_has_the_whole_schedule_and_a_young_average(tiny_config, monkeypatch):
    config = tiny_config.with_training(epochs=4, steps_per_epoch=5, labels_first=0.5, lr=0.1)
    model = build_model(("T1", "T2"), TISSUES, config)

    # A step that learns nothing sets the rates all the same.
    monkeypatch.setattr(model, "supervised_step", lambda labelled: {})

    def rates(step):
        model.steps.assign(step)
        model.train_step({"labelled": None})
        return {name: float(getattr(model, f"{name}_optimizer").learning_rate.numpy()) for name in model.learners}

    # A cosine over 20 steps, and over the adversarial phase's 10.
    for step, early, late in ((0, 0.1, 0.1), (10, 0.05, 0.1), (15, 0.1 * (1 + math.cos(0.75 * math.pi)) / 2, 0.05)):
        expected = {"coarse": early, "refine": early, "noise": late, "discriminator": late}
        assert rates(step) == pytest.approx(expected, abs=1e-7)

    # Its first step: what was random before it is nine tenths gone, of what learnt from labels half is kept.
    for name in ("refine", "discriminator"):
        for variable in getattr(model, name).variables:
            variable.assign(tf.ones_like(variable))
        for variable in getattr(model, f"{name}_average").variables:
            variable.assign(tf.zeros_like(variable))
    model.steps.assign(10)
    assert not model.has_adversarial_steps
    model.end_step(tf.zeros((1, 1, 1, 1), tf.uint8), tf.ones((1, 1, 1, 1, 4)) / 4, {}, {})
    assert model.discriminator_average.variables[0].numpy().mean() == pytest.approx(1 - 1 / 10)
    assert model.refine_average.variables[0].numpy().mean() == pytest.approx(1 - 11 / 20)
    assert int(model.steps) == 11 and model.has_adversarial_steps


def test_perturbed_maps_are_worse_but_still_maps(tiny_config):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    coarse = np.zeros((4, 16, 16, 16, 4), np.float32)
    coarse[..., 0] = 1
    coarse[:, :, :8] = [0, 0, 1, 0]
    perturbed = model.perturb(tf.constant(coarse), 3).numpy()
    model.steps.assign(1)
    other = model.perturb(tf.constant(coarse), 3).numpy()
    assert np.allclose(perturbed.sum(axis=-1), 1, atol=1e-5)
    assert np.abs(perturbed - coarse).max() > 0.05
    assert np.mean(perturbed.argmax(axis=-1) == coarse.argmax(axis=-1)) > 0.95
    assert not np.array_equal(perturbed, other)


def test_saved_model_gives_equal_outputs(tiny_config, tiny_batch, tmp_path):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    train(model, tiny_batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    inputs = tiny_batch["labelled"]
    assert np.array_equal(model(inputs), loaded(inputs))
    assert loaded.config == model.config and loaded.tissues == model.tissues
    assert loaded.digest() == model.digest()


def test_digest_tells_one_bit(tiny_config):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    before = model.digest()
    first = model.refine.variables[0]
    values = first.numpy()
    values.flat[0] = np.nextafter(values.flat[0], 1)
    first.assign(values)
    assert model.digest() != before


def test_averages_follow_the_weights(tiny_config, tiny_batch):
    """The recursion by hand: after step n the old average keeps min(decay, (1 + n) / (10 + n))."""
    model = build_model(("T1", "T2"), TISSUES, tiny_config.with_training(ema_decay=0.15, lr=0.01))
    pairs = [(model.coarse, model.coarse_average), (model.refine, model.refine_average)]
    expected = [[v.numpy() for v in network.variables] for network, _ in pairs]
    for decay in (0.1, 0.15, 0.15):
        train(model, tiny_batch)
        expected = [
            [decay * old + (1 - decay) * v.numpy() for old, v in zip(values, network.variables, strict=True)]
            for values, (network, _) in zip(expected, pairs, strict=True)
        ]
    for values, (network, average) in zip(expected, pairs, strict=True):
        for value, variable, weight in zip(values, average.variables, network.variables, strict=True):
            assert np.allclose(variable, value, atol=1e-6)
            assert not np.array_equal(variable, weight)


def test_predictions_are_those_of_the_averages(tiny_config, tiny_batch):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    before = model(tiny_batch["labelled"]).numpy()
    for network in (model.coarse, model.refine):
        for variable in network.variables:
            variable.assign(variable * 0)
    assert np.array_equal(model(tiny_batch["labelled"]), before)


def test_test_step_counts_the_whole_scan(tiny_config, tiny_cohort):
    model = build_model(("T1", "T2"), TISSUES, tiny_config)
    scan = load_scan(tiny_cohort, "3", with_labels=True)
    one, other = (
        model.evaluate(validation_stream(hold_scans([scan]), (16, 16, 16), size), verbose=0, return_dict=True)
        for size in (1, 5)
    )
    assert one == pytest.approx(other, abs=1e-6)
    assert one["dice"] == pytest.approx(np.mean([one[f"dice_{tissue}"] for tissue in TISSUES]), abs=1e-6)


def test_heads_with_thick_slices(tiny_config, tmp_path):
    """Three modalities, 0.958 × 0.958 × 3 mm, patches of 24×24×8, and a part that nobody has labelled."""
    rng = np.random.default_rng(0)
    preparation = Preparation("nonzero", spacing=(0.958, 0.958, 3.0))
    config = dataclasses.replace(tiny_config, preparation=preparation)
    assert config.patch == (24, 24, 8)
    model = build_model(("T1", "T2", "FLAIR"), TISSUES, config)
    shape = (2, *config.patch)
    image, context = (tf.constant(rng.normal(size=(*shape, 3)), tf.float32) for _ in range(2))
    labels = tf.constant(rng.choice([0, 1, 2, 3, IGNORE], shape), tf.uint8)
    unlabelled = {"image": image[::-1], "context": context[::-1]}
    before = weights(model)
    batch = {"labelled": {"image": image, "context": context, "labels": labels}, "unlabelled": unlabelled}
    for _ in range(2):
        logs = model.train_step(batch)
    assert all(np.isfinite(logs[term]) for term in model.loss_terms)
    assert all(not np.array_equal(value, before[name]) for name, value in weights(model).items())

    scan = np.abs(rng.normal(100, 20, (30, 28, 9, 3))).astype(np.float32)
    model.save(tmp_path / "model.keras")
    found = Segmenter(keras.saving.load_model(tmp_path / "model.keras", compile=False))(scan)
    assert found.labels.shape == scan.shape[:3] and np.allclose(found.probabilities.sum(axis=-1), 1, atol=1e-5)


def test_overfits_one_patch(tiny_config, tiny_batch):
    """A tiny model must learn one batch by heart."""
    network = dataclasses.replace(tiny_config.network, refine_width=8, coarse_width=8, discriminator_width=8)
    config = dataclasses.replace(tiny_config, network=network).with_training(lr=1e-2, epochs=1, steps_per_epoch=10_000)
    model = build_model(("T1", "T2"), TISSUES, config)
    train(model, tiny_batch, steps=50)
    inputs = tiny_batch["labelled"]
    predicted = np.argmax(model(inputs), axis=-1)
    truth = inputs["labels"].numpy()
    for tissue in (1, 2, 3):
        assert dice(truth, predicted, tissue) > 0.95
    named = np.argmax(model.discriminator(inputs["image"])[0], axis=-1)
    assert np.mean([dice(truth, named, tissue) for tissue in (1, 2, 3)]) > 0.95
