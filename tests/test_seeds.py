"""What hangs on the seed: weights, patches and noise."""

import dataclasses

import numpy as np

from tf_msgan.data.patch_source import HeldScans
from tf_msgan.data.scan import load_scan
from tf_msgan.training.run import TrainingScans, training_patches
from tf_msgan.training.runtime import build_model


def test_another_seed_is_another_training(tiny_config, tiny_cohort):
    labelled, unlabelled = (
        HeldScans(load_scan(tiny_cohort, id, labels) for id in ids)
        for ids, labels in ((("1", "2"), True), (("6", "7"), False))
    )
    scans = TrainingScans(labelled, unlabelled, None)

    def begin(seed):
        config = dataclasses.replace(tiny_config, model="one-stage").with_training(seed=seed)
        model = build_model(2, ("CSF", "GM", "WM"), config)
        batch = next(iter(training_patches(model, scans, game=True)))
        noise = model.normal(2, (3,), model.seeds(1)[0]).numpy()
        return model.digest(), noise, *(batch[kind]["image"].numpy() for kind in ("labelled", "unlabelled"))

    one, again, other = begin(0), begin(0), begin(1)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
