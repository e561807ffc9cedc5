"""How a step grows with patches and batches."""

import json

import pytest

from benchmarks import growth_training
from benchmarks.provenance import provenance, without_date


def test_growth_takes_what_is_known_and_measures_the_rest(tmp_path, monkeypatch):
    known = [
        {
            "name": growth_training.MODEL,
            "patch": p,
            "batch": b,
            "patches": b,
            "seconds": b * p**3 / 1e5,
            "peak_gib": 1.0,
        }
        for p, b in ((32, 4), (32, 30), (64, 4))
    ]
    another = {**known[0], "name": "U-Net", "patch": 48, "seconds": 1e9}
    content = {"provenance": f"2000-01-01; {without_date(provenance())}", "rows": [*known, another]}
    (tmp_path / "throughput.json").write_text(json.dumps(content))
    asked = []

    def ask(command, cores):
        patch, batch = command[-2:]
        asked.append((patch, batch))
        return {"patches": batch, "seconds": batch * patch**3 / 1e5, "peak_gib": 1.0}

    monkeypatch.setattr(growth_training, "ask", ask)
    figures = tmp_path / "growth.json"
    growth_training.main(["--known", str(tmp_path / "throughput.json"), "--json", str(figures)])
    assert asked == [(16, 4), (32, 8), (32, 16), (48, 4)]
    slopes = json.loads(figures.read_text())["slopes"]
    assert slopes == {"voxels of a patch": pytest.approx(1), "patches of a step": pytest.approx(1)}
    (tmp_path / "throughput.json").write_text(json.dumps({**content, "provenance": "2000-01-01; some machine"}))
    with pytest.raises(SystemExit, match="measured elsewhere"):
        growth_training.main(["--known", str(tmp_path / "throughput.json")])
