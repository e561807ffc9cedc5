"""What a comparison consists of."""

import pytest

from tf_msgan.config import MODELS, PRESETS
from tf_msgan.datasets.layouts import read_cohort
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import InputError
from tuning.cells import ABLATIONS, Cell, parts_of, plan_cells, split_of


def test_cells_are_planned_seed_by_seed():
    assert parts_of(PRESETS["best"]) == list(ABLATIONS)
    # It makes no coarse tissues; without them it would be trained twice.
    assert "coarse tissues" not in parts_of(PRESETS["paper"])
    cells = plan_cells(MODELS, 2, [1, 9], 2, ["EMA", "stage 2"])
    assert len(cells) == len(set(cells)) == 2 * (4 + 2 * 2 + 2)
    assert len({cell.without for cell in cells}) == 3
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.model for cell in cells if cell.labeled != 2} == {MODELS[0], MODELS[-1]}
    once = plan_cells(MODELS, 2, [1, 9], 2, ["EMA", "stage 2"], 1)
    assert once == [cell for cell in cells if not (cell.without and cell.seed)]


def test_splits_of_cells(tiny_folder):
    cohort = read_cohort(tiny_folder, "iseg")
    split = Split(("1", "2"), ("3",), ("4", "6", "7"), ("5",))
    two, one, three = (split_of(Cell("unet", n, 0), cohort, split) for n in (2, 1, 3))
    assert two == split
    # The second labelled subject plays no role.
    assert (one.train, one.unlabeled) == (("1",), split.unlabeled)
    assert (three.train, three.unlabeled) == (("1", "2", "4"), ("6", "7"))
    assert {s.test for s in (one, two, three)} == {("5",)}
    assert split_of(Cell("multi-stage", 2, 0, "unlabelled data"), cohort, split).unlabeled == ()
    with pytest.raises(InputError, match="1 to 3: so many have labels"):
        split_of(Cell("unet", 4, 0), cohort, split)
