"""Who hands out trials."""

import math

import pytest

from tuning.oracles import StudyTuner, TableOracle, make_search
from tuning.search_space import draw_values


def in_a_study(oracle, folder, draw):
    """The oracle, as a study asks it."""
    StudyTuner(oracle, draw, directory=folder, project_name="study", overwrite=True)
    oracle.verbose = 0
    return oracle


def test_a_table_is_handed_out_row_by_row(tmp_path):
    oracle = in_a_study(TableOracle(3), tmp_path, lambda hp: None)
    trials = [oracle.create_trial(f"worker {n}") for n in range(4)]
    assert [trial.hyperparameters.values.get("row") for trial in trials] == [0, 1, 2, None]
    assert trials[-1].status == "STOPPED"


@pytest.mark.parametrize("kind", ["hyperband", "bayesian", "random"])
def test_a_search_proposes_the_same_again(kind, tmp_path):
    """So that one that was killed need not trust what KerasTuner had written."""

    def propose(folder):
        oracle = in_a_study(make_search(kind, 6, 9), folder, lambda hp: draw_values(hp, "multi-stage"))
        found = []
        while (trial := oracle.create_trial("one")).status == "RUNNING":
            found.append(dict(trial.hyperparameters.values))
            oracle.update_trial(trial.trial_id, {"val_dice": math.sin(trial.hyperparameters.values["loss.fake"] * 99)})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return found

    first = propose(tmp_path / "first")
    assert len(first) == 6 and first == propose(tmp_path / "second")
