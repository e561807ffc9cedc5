"""The pictures of comparisons and of studies show what there is."""

import numpy as np
import pytest

from tests.pages import is_colour, picture
from tf_msgan.evaluation.figures import TISSUE_COLOURS
from tuning import pictures, study_pictures


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, as matplotlib has them."""
    kept = []

    def save(figure, path, real=pictures.save):
        kept.append(figure)
        real(figure, path)

    for module in (pictures, study_pictures):
        monkeypatch.setattr(module, "save", save)
    return kept


def outcome(gm, wm):
    return {"subjects": {"a": {"GM": {"dice": gm}, "WM": {"dice": wm}}}}


def test_dice_against_the_number_of_labelled_subjects(tmp_path, drawn):
    groups = {("unet", 2): [outcome(0.6, 0.4), outcome(0.8, 0.4)], ("unet", 9): [outcome(0.9, 0.7)]}
    groups["multi-stage", 2] = [outcome(0.75, 0.65)]
    pictures.draw_shots(tmp_path / "shots.png", groups, ("GM", "WM"))
    assert picture(tmp_path / "shots.png").shape == (306, 864, 3)
    (figure,) = drawn
    assert [axis.get_title() for axis in figure.axes] == ["GM", "WM", "mean"]
    for axis, unet, ours in zip(figure.axes, ([0.7, 0.9], [0.4, 0.7], [0.55, 0.8]), (0.75, 0.65, 0.7), strict=True):
        lines = [container.lines[0] for container in axis.containers]
        assert [container.get_label() for container in axis.containers] == ["unet", "multi-stage"]
        assert lines[0].get_xdata().tolist() == [2, 9] and lines[0].get_ydata() == pytest.approx(unet)
        assert lines[1].get_xdata().tolist() == [2] and lines[1].get_ydata() == pytest.approx([ours])
        assert [label.get_text() for label in axis.get_xticklabels()] == ["2", "9"]
    # The bar is of one standard deviation on either side.
    bars = figure.axes[0].containers[0].lines[2][0].get_segments()
    assert bars[0][:, 1] == pytest.approx([0.7 - 0.1 * 2**0.5, 0.7 + 0.1 * 2**0.5])
    assert figure.axes[0].get_ylabel() == "Dice"


def test_what_the_models_draw_of_a_subject(tmp_path, drawn):
    truth = np.zeros((20, 16, 12), np.uint8)
    truth[4:16, 3:13, 2:10], truth[7:13, 6:10, 4:8] = 1, 2
    ours = np.where(truth == 2, 1, truth)
    pictures.draw_models(
        *(tmp_path / "models.png", truth * 5.0 + 1, truth, {"unet": truth, "multi-stage": ours}),
        *(np.eye(4), ("GM", "WM"), "a"),
    )
    pixels = picture(tmp_path / "models.png")
    assert pixels.shape == (432, 792, 3)
    columns = np.split(pixels[40:], 4, axis=1)
    second = [np.count_nonzero(is_colour(column, TISSUE_COLOURS[2])) for column in columns]
    assert second[0] == second[3] == 0 and second[1] == pytest.approx(second[2], rel=0.05) and second[1] > 500
    assert all(np.any(is_colour(column, TISSUE_COLOURS[1])) for column in columns[1:])
    axes = np.reshape(drawn[0].axes, (2, 4))
    assert [axis.get_title() for axis in axes[0]] == ["scan", "truth", "unet", "multi-stage"]
    assert drawn[0].get_suptitle() == "subject a"
    assert [axis.images[0].get_array().shape for axis in axes[:, 1]] == [(16, 20), (12, 20)]
    assert np.array_equal(axes[0, 3].images[0].get_array(), ours[:, :, 6].T)


def test_dice_against_a_factors_values(tmp_path, drawn):
    by_value = {20: [outcome(0.6, 0.4), outcome(0.8, 0.4)], 80: [outcome(0.9, 0.7)]}
    study_pictures.draw_factor(tmp_path / "factor.png", "epochs", by_value, ("GM", "WM", "mean"))
    assert picture(tmp_path / "factor.png").shape == (306, 864, 3)
    for axis, expected in zip(drawn[0].axes, ([0.7, 0.9], [0.4, 0.7], [0.55, 0.8]), strict=True):
        *dots, line = axis.lines
        assert line.get_ydata() == pytest.approx(expected)
        assert [len(of.get_ydata()) for of in dots] == [2, 1]
        assert [label.get_text() for label in axis.get_xticklabels()] == ["20", "80"] and axis.get_xlabel() == "epochs"
    assert drawn[0].axes[0].lines[0].get_ydata() == pytest.approx([0.6, 0.8])


def test_a_curve_a_trial(tmp_path, drawn):
    curves = {"one": [0.1, 0.4, 0.5], "two": [0.2, 0.3]}
    study_pictures.draw_curves(tmp_path / "curves.png", curves)
    assert picture(tmp_path / "curves.png").shape == (405, 810, 3)
    (axis,) = drawn[0].axes
    assert {line.get_label(): list(line.get_ydata()) for line in axis.lines} == curves
    assert [line.get_xdata()[-1] for line in axis.lines] == [3, 2]
    assert len({tuple(line.get_color()) for line in axis.lines}) == 2
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["one", "two"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epoch", "validation Dice")
