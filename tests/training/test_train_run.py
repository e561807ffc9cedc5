"""What hangs on the seed: weights, patches and noise."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.patches.streams import training_stream, validation_stream
from tf_msgan.training.build_model import build_model
from tf_msgan.training.train_run import load_training_scans, training_patches

pytestmark = pytest.mark.integration


def test_another_seed_is_another_training(tiny_config, tiny_cohort, tiny_split):
    one_stage = dataclasses.replace(tiny_config, model="one-stage")
    scans = load_training_scans(tiny_cohort, tiny_split, one_stage)

    def begin(seed):
        model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), one_stage.with_training(seed=seed))
        batch = next(iter(training_patches(model, scans, adversarial=True)))
        noise = model.normal(2, (3,), model.seeds(1)[0]).numpy()
        return model.digest(), noise, *(batch[kind]["image"].numpy() for kind in ("labelled", "unlabelled"))

    one, again, other = begin(0), begin(0), begin(1)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("cached", [False, True])
def test_no_test_subject_enters_training(tiny_folder, tmp_path, tiny_config, tiny_split, cached):
    """The scans, which are all that `train_run` is given, are the same without the test subjects' voxels."""

    def patches(cache):
        cohort = read_cohort(tiny_folder, "iseg")
        scans = load_training_scans(cohort, tiny_split, tiny_config, cache if cached else None)
        training = training_stream(scans.labelled, scans.unlabelled, (16, 16, 16), (2, 2), 0.5, Augmentation(), seed=0)
        streams = training.take(2), validation_stream(scans.validation, (16, 16, 16), 8)
        return [array for stream in streams for batch in stream for array in tf.nest.flatten(batch)]

    whole = patches(tmp_path / "with")
    for subject_id in tiny_split.test:
        for path in tiny_folder.glob(f"subject-{subject_id}-*.img"):
            path.write_bytes(b"")
    # Nor is anything made of an unlabelled subject's labels.
    (tiny_folder / "subject-6-label.hdr").write_bytes(b"not a label map")
    for one, other in zip(whole, patches(tmp_path / "without"), strict=True):
        assert np.array_equal(one, other)
    # Two labelled, one validation, two unlabelled; none of a test subject.
    kept = sorted(path.name for path in tmp_path.glob("with/*"))
    assert [name[:6] for name in kept] == [f"iseg-{n}" for n in (1, 2, 3, 6, 7)] * cached
