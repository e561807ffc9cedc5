"""How an adversarial step is wired: which scores go where, what moves whom. Every term is worked out anew from the
networks as they stood before the step."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.models import losses
from tf_msgan.models.gan_losses import agreement, fake_loss, feature_matching_loss, real_loss
from tf_msgan.models.losses import real_log_odds
from tf_msgan.networks.blocks import upsample
from tf_msgan.preprocessing.reserved_values import IGNORE
from tf_msgan.training.build_model import build_model

pytestmark = pytest.mark.integration

TISSUES = ("CSF", "GM", "WM")
# No two alike, so that none stands for another.
WEIGHTS = {"unlabelled": 0.3, "fake": 0.7, "prediction": 0.4, "feature_matching": 1.7, "latent_recovery": 0.6}
WEIGHTS |= {"diversity": 2.3, "variants_differ": 9.0, "overlap": 0.9}


def built(config, name, **weights):
    """A model that learns by plain descent, 0.1 times the gradient."""
    config = dataclasses.replace(config, model=name, loss=dataclasses.replace(config.loss, **weights))
    model = build_model(("T1", "T2"), TISSUES, config.with_training(clip_norm=1e9))
    model.compile(**{f"{learner}_optimizer": keras.optimizers.SGD(0.1) for learner in model.learners})
    return model


def step(model, batch):
    """One step, not compiled. Returns what it reports."""
    return {name: float(value) for name, value in model.train_step(batch).items()}


def assert_terms(logs, expected):
    for name, value in expected.items():
        assert logs[name] == pytest.approx(float(value), rel=1e-4), name


def terms_of_d(logits_x, y, logits_u, logits_fake):
    """Those of a D that tells unlabelled images from generated ones."""
    overlap = losses.overlap_loss(tf.nn.softmax(logits_x), y)
    return {
        "d_labelled": losses.labelled_loss(logits_x, y) + 0.9 * overlap,
        "d_unlabelled": real_loss(real_log_odds(logits_u)),
        "d_fake": fake_loss(real_log_odds(logits_fake)),
    }


def moved(model, batch, **weights):
    """How a step with such weights of the losses moves each network, as one vector; the model stays as it was."""
    before = {name: variable.numpy() for name, variable in model.model_variables().items()}
    whole = model.config
    model.config = dataclasses.replace(whole, loss=dataclasses.replace(whole.loss, **weights))
    step(model, batch)
    model.config = whole
    moves = {}
    for name, variable in model.model_variables().items():
        moves.setdefault(name.partition("/")[0], []).append((variable.numpy() - before[name]).ravel())
        variable.assign(before[name])
    return {network: np.concatenate(parts) for network, parts in moves.items()}


@pytest.fixture
def batch(tiny_batch):
    """The tiny batch with a corner that nobody has labelled."""
    labels = tiny_batch["labelled"]["labels"].numpy()
    labels[:, 5:9, 5:9, 5:9] = IGNORE
    return {**tiny_batch, "labelled": {**tiny_batch["labelled"], "labels": tf.constant(labels)}}


def other_scans(batch):
    """The batch with other unlabelled patches."""
    turned = {name: tf.reverse(value, [1]) * 0.5 for name, value in batch["unlabelled"].items()}
    return {**batch, "unlabelled": turned}


def test_multi_stage(tiny_config, batch):
    model = built(tiny_config, "multi-stage", **WEIGHTS)
    x, y, xu = batch["labelled"]["image"], batch["labelled"]["labels"], batch["unlabelled"]["image"]
    z, other_z = (model.normal(2, (tiny_config.network.latent,), seed) for seed in model.seeds(4)[:2])
    variant, other_variant = model.noise([xu, z]), model.noise([xu, other_z])
    (logits_x, _), (logits_u, features_u), (logits_fake, features_fake) = map(model.discriminator, (x, xu, variant))
    mean, log_variance = model.encoder(variant)
    contexts = tf.concat([batch["labelled"]["context"], batch["unlabelled"]["context"]], 0)
    half = model.coarse(contexts)
    coarse, guide = upsample(half, 2), upsample(model.perturb(half, 2), 2)[..., 1:]
    refined = model.refine([tf.concat([x, xu], 0), guide])

    logs = step(model, batch)
    expected = {
        **terms_of_d(logits_x, y, logits_u, logits_fake),
        "g2_adversarial": real_loss(real_log_odds(logits_fake)),
        "g2_matching": feature_matching_loss(features_u, features_fake),
        "g2_recovery": losses.latent_recovery_loss(z, mean, log_variance),
        "g2_diversity": losses.diversity_loss(losses.difference(variant, other_variant, xu), 9.0),
        "g1_labelled": losses.segmentation_loss(coarse[:2], y),
        "g1_opinion": losses.prediction_loss(logits_u, coarse[2:]),
        "g3_labelled": losses.segmentation_loss(refined[:2], y),
        "g3_opinion": losses.prediction_loss(logits_u, refined[2:]),
        "real_labelled": tf.reduce_mean(tf.sigmoid(real_log_odds(logits_x))),
        "real_unlabelled": tf.reduce_mean(tf.sigmoid(real_log_odds(logits_u))),
        "real_fake": tf.reduce_mean(tf.sigmoid(real_log_odds(logits_fake))),
    }
    assert_terms(logs, expected)
    g2 = ("g2_adversarial", 1), ("g2_matching", 1.7), ("g2_recovery", 0.6), ("g2_diversity", 2.3)
    totals = {
        "d_loss": logs["d_labelled"] + 0.3 * logs["d_unlabelled"] + 0.7 * logs["d_fake"],
        "g1_loss": logs["g1_labelled"] + 0.4 * logs["g1_opinion"],
        "g2_loss": sum(weight * logs[name] for name, weight in g2),
        "g3_loss": logs["g3_labelled"] + 0.4 * logs["g3_opinion"],
    }
    assert_terms(logs, totals)


def test_standard_gan(tiny_config, batch):
    model = built(tiny_config, "standard-gan", **WEIGHTS)
    x, y, xu = batch["labelled"]["image"], batch["labelled"]["labels"], batch["unlabelled"]["image"]
    fake = model.generator(model.normal(2, (tiny_config.network.latent,), model.seeds(2)[0]))
    (logits_x, _), (logits_u, features_u), (logits_fake, features_fake) = map(model.discriminator, (x, xu, fake))

    logs = step(model, batch)
    expected = {
        **terms_of_d(logits_x, y, logits_u, logits_fake),
        "g_adversarial": real_loss(real_log_odds(logits_fake)),
        "g_matching": feature_matching_loss(features_u, features_fake),
    }
    assert_terms(logs, expected)
    totals = {
        "d_loss": logs["d_labelled"] + 0.3 * logs["d_unlabelled"] + 0.7 * logs["d_fake"],
        "g_loss": logs["g_adversarial"] + 1.7 * logs["g_matching"],
    }
    assert_terms(logs, totals)


def test_one_stage(tiny_config, batch):
    model = built(tiny_config, "one-stage", **WEIGHTS)
    x, y, xu = batch["labelled"]["image"], batch["labelled"]["labels"], batch["unlabelled"]["image"]
    (logits_x, _), (logits_u, _) = model.discriminator(x), model.discriminator(xu)
    drawn, drawn_u = model.refine(x), model.refine(xu)
    # What nobody has labelled D cannot take for wrong: there the scan alone counts.
    truth = tf.math.log(tf.one_hot(tf.where(y == IGNORE, 0, tf.cast(y, tf.int32)), 4) + losses.TINY)
    real = tf.where(y == IGNORE, real_log_odds(logits_x), agreement(logits_x, truth))
    fake = agreement(logits_u, tf.math.log(drawn_u + losses.TINY))

    logs = step(model, batch)
    expected = {
        "d_real": real_loss(real),
        "d_fake": fake_loss(fake),
        "g_labelled": losses.segmentation_loss(drawn, y),
        "g_adversarial": real_loss(fake),
    }
    assert_terms(logs, expected)
    totals = {
        "d_loss": logs["d_labelled"] + 0.3 * logs["d_real"] + 0.7 * logs["d_fake"],
        "g_loss": logs["g_labelled"] + 0.4 * logs["g_adversarial"],
    }
    assert_terms(logs, totals)


@pytest.mark.parametrize(
    ("name", "networks", "settings"),
    [
        ("multi-stage", ("coarse", "refine"), ()),
        ("multi-stage", ("refine",), ("network.outlines=false",)),
        ("one-stage", ("refine",), ()),
    ],
)
def test_unlabelled_scans_move_who_draws_by_ds_opinion(name, networks, settings, tiny_config, batch):
    """And without the prediction term they do not."""
    model, norm = built(tiny_config.with_fields(settings), name), np.linalg.norm
    heard, elsewhere = (moved(model, each, prediction=1.0) for each in (batch, other_scans(batch)))
    unheard, nowhere = (moved(model, each, prediction=0.0) for each in (batch, other_scans(batch)))
    for network in networks:
        length = norm(unheard[network])
        assert norm(heard[network] - unheard[network]) > 0.01 * length
        assert norm(heard[network] - elsewhere[network]) > 0.001 * length
        assert norm(unheard[network] - nowhere[network]) < 1e-5 * length


def test_coarse_maps_are_made_worse_for_stage_3_alone(tiny_config, batch):
    model = built(tiny_config, "multi-stage")
    for patches in (batch, {"labelled": batch["labelled"]}):
        as_they_are, worse = (moved(model, patches, perturbation=strength) for strength in (0.0, 1.0))
        assert np.array_equal(as_they_are["coarse"], worse["coarse"])
        apart = np.linalg.norm(as_they_are["refine"] - worse["refine"])
        assert apart > 1e-3 * np.linalg.norm(worse["refine"])
