"""The report's pictures show what there is."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import is_math_text

from tf_msgan.evaluation.figures import (
    CONTOUR_COLOURS,
    TISSUE_COLOURS,
    draw_health,
    draw_prediction,
    plain,
    show_classes,
)
from tf_msgan.preprocessing.reserved_values import IGNORE


def test_a_single_slice_is_drawn(tmp_path):
    labels = np.zeros((20, 24, 1), np.uint8)
    labels[5:12, 6:15] = 1
    draw_prediction(tmp_path / "slice.png", labels * 7.0 + 1, labels, np.eye(4), ("GM",), "one slice", 70)
    picture = plt.imread(tmp_path / "slice.png")
    assert picture.std() > 0.05


def test_no_tissue_is_drawn_as_background():
    assert len(TISSUE_COLOURS) == len(CONTOUR_COLOURS) == IGNORE and TISSUE_COLOURS.count(TISSUE_COLOURS[0]) == 1
    _, axis = plt.subplots()
    classes = np.arange(IGNORE + 1).reshape(16, 16)
    show_classes(axis, classes, IGNORE - 1, 1)
    shown = axis.images[0].cmap(axis.images[0].norm(classes))
    assert np.flatnonzero((shown[..., :3] == 0).all(axis=-1)).tolist() == [0]
    plt.close()


def test_names_are_no_formulas(tmp_path):
    labels = np.ones((20, 24, 3), np.uint8)
    draw_prediction(tmp_path / "a.png", labels * 7.0, labels, np.eye(4), ("$x_$",), "a$x_$", 70)
    assert (tmp_path / "a.png").is_file()
    assert is_math_text("$x_$")
    for name in ("$x_$", "a$x$b$", "$$"):
        assert not is_math_text(plain(name))


def test_a_game_of_one_epoch_is_seen(tmp_path):
    def picture(real_fake):
        history = {"epoch": [0, 1, 2], "lr": [3.0, 2.0, 1.0], "real_fake": [float("nan")] * 2 + [real_fake]}
        draw_health(tmp_path / "health.png", {**history, "refine_gradient": [3.0, 2.0, 1.0]})
        return plt.imread(tmp_path / "health.png")

    assert np.array_equal(picture(0.4), picture(0.4))
    assert not np.array_equal(picture(0.4), picture(0.6))
