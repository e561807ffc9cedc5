"""The report's pictures show what there is."""

import matplotlib.pyplot as plt
import numpy as np

from tf_msgan.evaluation.figures import draw_health, draw_prediction


def test_a_single_slice_is_drawn(tmp_path):
    labels = np.zeros((20, 24, 1), np.uint8)
    labels[5:12, 6:15] = 1
    draw_prediction(tmp_path / "slice.png", labels * 7.0 + 1, labels, np.eye(4), ("GM",), "one slice", 70)
    picture = plt.imread(tmp_path / "slice.png")
    assert picture.std() > 0.05


def test_names_are_no_formulas(tmp_path):
    labels = np.ones((20, 24, 3), np.uint8)
    draw_prediction(tmp_path / "a.png", labels * 7.0, labels, np.eye(4), ("$x_$",), "a$x_$", 70)
    assert (tmp_path / "a.png").is_file()


def test_a_game_of_one_epoch_is_seen(tmp_path):
    def picture(real_fake):
        history = {"epoch": [0, 1, 2], "lr": [3.0, 2.0, 1.0], "real_fake": [float("nan")] * 2 + [real_fake]}
        draw_health(tmp_path / "health.png", {**history, "refine_gradient": [3.0, 2.0, 1.0]})
        return plt.imread(tmp_path / "health.png")

    assert np.array_equal(picture(0.4), picture(0.4))
    assert not np.array_equal(picture(0.4), picture(0.6))
