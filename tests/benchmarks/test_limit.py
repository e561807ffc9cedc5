"""How near the networks come to what the machine can do."""

import json

import pytest

from benchmarks import limit


@pytest.mark.slow
def test_the_limit_is_measured_of_every_network(tmp_path):
    figures = tmp_path / "limit.json"
    limit.main(["--precisions", "float32", "--patch", "16", "--repeats", "1", "--json", str(figures)])
    rows = json.loads(figures.read_text())["precisions"]["float32"]["rows"]
    measured = {row["name"] for row in rows if row["what"] == "training" and row["gflop"] > 0}
    assert {"coarse", "noise", "encoder", "refine", "discriminator"} <= measured
