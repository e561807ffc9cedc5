"""Scans are cut to what counts."""

import numpy as np

from tf_msgan.patches.cropped_scan import crop_scan
from tf_msgan.preprocessing.scan import Scan


def test_cropping_keeps_the_brain_and_every_label():
    """A labelled voxel outside the brain, as ALBERT has, stays in the box."""
    brain = np.zeros((9, 8, 7), bool)
    brain[2:5, 3:6, 1:4] = True
    labels = np.where(brain, 2, 0).astype(np.uint8)
    labels[7, 4, 2] = 1
    masked = np.where(brain[..., None], [1.5, 1.0], 0).astype(np.float32)
    cropped = crop_scan(Scan("x", masked, labels, brain, (1.0, 1.0, 1.0)))
    assert cropped.volume.shape == (6, 3, 3, 2)
    assert cropped.labels.sum() == labels.sum()
    assert np.array_equal(cropped.volume[..., 1], brain[2:8, 3:6, 1:4])
    assert len(cropped.foreground) == brain.sum()
    assert cropped.volume[tuple(cropped.foreground.T)][:, 1].all()
