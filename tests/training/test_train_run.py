"""What hangs on the seed: weights, patches and noise."""

import dataclasses

import numpy as np

from tf_msgan.training.build_model import build_model
from tf_msgan.training.train_run import load_training_scans, training_patches


def test_another_seed_is_another_training(tiny_config, tiny_cohort, tiny_split):
    one_stage = dataclasses.replace(tiny_config, model="one-stage")
    scans = load_training_scans(tiny_cohort, tiny_split, one_stage)

    def begin(seed):
        model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), one_stage.with_training(seed=seed))
        batch = next(iter(training_patches(model, scans, game=True)))
        noise = model.normal(2, (3,), model.seeds(1)[0]).numpy()
        return model.digest(), noise, *(batch[kind]["image"].numpy() for kind in ("labelled", "unlabelled"))

    one, again, other = begin(0), begin(0), begin(1)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
