"""The report's pictures show what there is."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_rgb

from tests.pages import is_colour, picture
from tf_msgan.evaluation import figures
from tf_msgan.evaluation.figures import (
    CONTOUR_COLOURS,
    ERROR_COLOUR,
    IGNORED_COLOUR,
    TISSUE_COLOURS,
    draw_case,
    draw_curves,
    draw_health,
    draw_prediction,
    draw_samples,
    plain,
    show_classes,
)
from tf_msgan.io.volumes import Volume
from tf_msgan.preprocessing.reserved_values import IGNORE

TISSUES = ("CSF", "GM", "WM")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, as matplotlib has them."""
    kept = []

    def save(figure, path, *arguments, real=figures.save):
        kept.append(figure)
        real(figure, path, *arguments)

    monkeypatch.setattr(figures, "save", save)
    return kept


def legend_of(figure):
    """The legend's texts and colours."""
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    return dict(zip(texts, (handle.get_facecolor()[:3] for handle in legend.get_patches()), strict=True))


def three_boxes(shape=(24, 20, 18)):
    """Boxes one in another of the three tissues, and an image that is brighter in each, and not 0 around them."""
    labels = np.zeros(shape, np.uint8)
    for tissue, margin in ((1, 3), (2, 5), (3, 7)):
        labels[tuple(slice(margin, n - margin) for n in shape)] = tissue
    image = np.zeros(shape)
    image[1:-1, 1:-1, 1:-1] = 5
    return image + 10 * labels, labels


def test_a_prediction_is_three_planes_with_the_contours_of_every_tissue(tmp_path, drawn):
    image, labels = three_boxes()
    draw_prediction(tmp_path / "a.png", image, labels, np.eye(4), TISSUES, "subject a", 160)
    pixels = picture(tmp_path / "a.png")
    assert pixels.shape == (576, 1440, 3)
    # A third of the picture each: in all there is a line of every colour.
    for panel in np.split(pixels[50:500], 3, axis=1):
        for colour in CONTOUR_COLOURS[1:4]:
            assert np.count_nonzero(is_colour(panel, colour, 0.15)) > 100, colour
    # The frame is black, and the scan grey.
    assert np.all(pixels[0] == 0) and np.mean(np.ptp(pixels, axis=-1) < 0.01) > 0.5
    (figure,) = drawn
    assert [axis.texts[0].get_text() for axis in figure.axes] == ["axial", "coronal", "sagittal"]
    assert figure.get_suptitle() == "subject a"
    expected = {name: to_rgb(CONTOUR_COLOURS[n]) for n, name in enumerate(TISSUES, start=1)}
    assert legend_of(figure) == {name: pytest.approx(colour) for name, colour in expected.items()}
    # The box of the scan, cut through its middle, front and top up.
    shapes = [axis.images[0].get_array().shape for axis in figure.axes]
    assert shapes == [(18, 22), (16, 22), (16, 18)]
    middle = image[1:-1, 1:-1, 1:-1]
    for axis, cut in zip(figure.axes, (middle[:, :, 8], middle[:, 9, :]), strict=False):
        low, high = np.percentile(image[image != 0], [1, 99])
        assert np.allclose(axis.images[0].get_array(), np.clip((cut.T - low) / (high - low), 0, 1))


def test_a_single_slice_is_drawn(tmp_path, drawn):
    """Across it there are lines, which have no contours."""
    labels = np.zeros((20, 24, 1), np.uint8)
    labels[5:12, 6:15] = 1
    draw_prediction(tmp_path / "slice.png", labels * 7.0 + 1, labels, np.eye(4), ("GM",), "one slice", 70)
    pixels = picture(tmp_path / "slice.png")
    assert pixels.shape == (252, 630, 3)
    first, *others = np.split(pixels[20:230], 3, axis=1)
    coloured = [np.count_nonzero(np.ptp(panel, axis=-1) > 0.15) for panel in (first, *others)]
    assert coloured[0] > 100 and coloured[1:] == [0, 0]
    assert [axis.images[0].get_array().shape for axis in drawn[0].axes] == [(24, 20), (1, 20), (1, 24)]
    (contours,) = drawn[0].axes[0].collections
    assert contours.get_edgecolor()[0, :3] == pytest.approx(to_rgb(CONTOUR_COLOURS[1]))
    # Around the labels, in voxels of the plane.
    corners = contours.get_paths()[0].get_extents()
    assert [corners.x0, corners.y0, corners.x1, corners.y1] == pytest.approx([4.5, 5.5, 11.5, 14.5])


def test_a_case_shows_where_it_is_wrong(tmp_path, drawn):
    image, truth = three_boxes()
    prediction = truth.copy()
    prediction[9:14, 8:12, 7:11] = 2
    truth[:, :5][truth[:, :5] > 0] = IGNORE
    scores = {"CSF": {"dice": 0.25}, "GM": {"dice": 0.5}, "WM": {"dice": 0.125}}
    reference = Volume(image.astype(np.float32), np.diag([1.0, 1, 2, 1]), "a.nii")
    draw_case(tmp_path / "a.png", "a", reference, "T1", truth, prediction, TISSUES, scores)
    pixels = picture(tmp_path / "a.png")
    assert pixels.shape == (756, 990, 3)
    columns = np.split(pixels[60:700, :988], 4, axis=1)
    for column, colours in ((1, (*TISSUE_COLOURS[1:4], IGNORED_COLOUR)), (2, TISSUE_COLOURS[1:4]), (3, [ERROR_COLOUR])):
        for colour in colours:
            assert np.count_nonzero(is_colour(columns[column], colour)) > 100, (column, colour)
    assert not np.any(is_colour(columns[2], IGNORED_COLOUR)) and not np.any(is_colour(columns[0], ERROR_COLOUR))
    (figure,) = drawn
    axes = np.reshape(figure.axes, (3, 4))
    assert [axis.get_title() for axis in axes[0]] == ["T1, predicted", "truth", "prediction", "errors"]
    assert figure.get_suptitle() == "subject a   Dice  CSF 0.250   GM 0.500   WM 0.125"
    assert list(legend_of(figure)) == [*TISSUES, "wrong", "not counted"]
    # Voxels 2 mm high; the axial plane is cut in the middle of the brain.
    assert [axis.get_aspect() for axis in axes[:, 0]] == [1, 2, 2]
    plane = np.s_[1:-1, 1:-1, 9]
    wrong = (truth != prediction)[plane] & (truth[plane] != IGNORE)
    shown = np.all(axes[0, 3].images[0].get_array() == to_rgb(ERROR_COLOUR), axis=-1)
    assert wrong.sum() == 20 and np.array_equal(shown, wrong.T)


def test_no_tissue_is_drawn_as_background():
    assert len(TISSUE_COLOURS) == len(CONTOUR_COLOURS) == IGNORE and TISSUE_COLOURS.count(TISSUE_COLOURS[0]) == 1
    _, axis = plt.subplots()
    classes = np.arange(IGNORE + 1).reshape(16, 16)
    show_classes(axis, classes, IGNORE - 1, 1)
    shown = axis.images[0].cmap(axis.images[0].norm(classes))
    assert np.flatnonzero((shown[..., :3] == 0).all(axis=-1)).tolist() == [0]
    plt.close()


def test_names_are_no_formulas(tmp_path, drawn):
    labels = np.ones((20, 24, 3), np.uint8)
    draw_prediction(tmp_path / "a.png", labels * 7.0, labels, np.eye(4), ("$x_$",), "a$x_$", 70)
    assert picture(tmp_path / "a.png").shape == (252, 630, 3)
    assert drawn[0].get_suptitle() == r"a\$x_\$" and list(legend_of(drawn[0])) == [r"\$x_\$"]
    assert is_math_text("$x_$")
    for name in ("$x_$", "a$x$b$", "$$"):
        assert not is_math_text(plain(name))


def lines_of(axis):
    return {line.get_label(): (line.get_xdata().tolist(), list(line.get_ydata())) for line in axis.lines}


def test_curves_are_those_of_the_history(tmp_path, drawn):
    history = {"epoch": [0, 1, 2], "dice": [0.1, 0.2, 0.3], "d_loss": [3.0, 2.0, 1.0], "d_fake": [0.3, 0.2, 0.1]}
    history |= {"g1_loss": [9.0, 8.0, 7.0], "val_dice": [0.5] * 3, "val_dice_CSF": [0.4, 0.5, 0.6]}
    draw_curves(tmp_path / "curves.png", history, ("CSF",))
    assert picture(tmp_path / "curves.png").shape == (324, 1080, 3)
    dice, terms, losses = drawn[0].axes
    assert [axis.get_title() for axis in drawn[0].axes] == ["Dice", "terms of the discriminator", "losses"]
    epochs = [1, 2, 3]
    assert lines_of(dice) == {
        "training patches": (epochs, history["dice"]),
        "validation CSF": (epochs, history["val_dice_CSF"]),
    }
    assert lines_of(terms) == {"fake": (epochs, history["d_fake"])}
    assert lines_of(losses) == {"d": (epochs, history["d_loss"]), "g1": (epochs, history["g1_loss"])}
    assert dice.get_ylim() == (0, 1) and all(axis.get_xlim() == (0.5, 3.5) for axis in drawn[0].axes)
    assert all(axis.get_xlabel() == "epoch" and axis.get_legend() is not None for axis in drawn[0].axes)
    # Without validation there is none to draw.
    del history["val_dice"]
    draw_curves(tmp_path / "curves.png", history, ("CSF",))
    assert list(lines_of(drawn[1].axes[0])) == ["training patches"]


def test_an_adversarial_phase_of_one_epoch_is_seen(tmp_path, drawn):
    def pixels(real_fake):
        history = {"epoch": [0, 1, 2], "lr": [3.0, 2.0, 1.0], "real_fake": [float("nan")] * 2 + [real_fake]}
        draw_health(tmp_path / "health.png", {**history, "refine_gradient": [3.0, 2.0, 1.0]})
        return picture(tmp_path / "health.png")

    assert np.array_equal(pixels(0.4), pixels(0.4))
    low, high = pixels(0.4), pixels(0.6)
    assert low.shape == (324, 1350, 3)
    real, variants, norms, rate = drawn[0].axes
    # Only there, in its own panel, and higher.
    different = np.argwhere(np.any(low != high, axis=-1))
    assert len(different) and different[:, 1].max() < 1350 / 4
    rows = [np.argwhere(is_colour(each, "C0", 0.1))[:, 0].mean() for each in (low[:, :300], high[:, :300])]
    assert rows[1] < rows[0]
    ((_, values),) = lines_of(real).values()
    assert np.isnan(values[:2]).all() and values[2] == 0.4
    assert not variants.lines and list(lines_of(norms)) == ["refine"] and norms.get_yscale() == "log"
    assert lines_of(rate) == {"at the end of the epoch": ([1, 2, 3], [3.0, 2.0, 1.0])}


def test_samples_are_a_row_an_epoch(tmp_path, drawn):
    rng = np.random.default_rng(0)
    image, coarse = rng.normal(size=(8, 6)), rng.random((8, 6))
    refined = np.zeros((8, 6, 4))
    refined[:4, :, 2] = refined[4:, :, 3] = 1
    samples = {epoch: {"image": image * epoch, "coarse": coarse, "refined": refined} for epoch in (1, 4)}
    draw_samples(tmp_path / "samples.png", samples, TISSUES)
    pixels = picture(tmp_path / "samples.png")
    assert pixels.shape == (423, 585, 3)
    for colour in TISSUE_COLOURS[2:4]:
        assert np.count_nonzero(is_colour(pixels[:, 390:], colour)) > 1000
        assert not np.any(is_colour(pixels[:, :390], colour))
    axes = np.reshape(drawn[0].axes, (2, 3))
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["epoch 1", "epoch 4"]
    assert [axis.get_title() for axis in axes[0]] == ["image", "coarse", "refined"]
    for row, epoch in zip(axes, (1, 4), strict=True):
        shown = [axis.images[0].get_array() for axis in row]
        assert np.array_equal(shown[0], epoch * image.T) and np.array_equal(shown[1], coarse.T)
        assert np.array_equal(shown[2], np.repeat([2, 3], 4)[None] * np.ones((6, 1)))
