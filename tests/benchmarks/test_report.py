"""The page of the benchmarks, of the figures that there are."""

import json

from benchmarks import report


def test_page_shows_what_was_measured_and_names_what_was_not(tmp_path):
    docs = report.DOCS / "benchmarks.md"
    before = docs.stat().st_mtime_ns
    figures = {"provenance": "some machine", "target": 1.5, "seconds": {"train --help, to its text": 0.71}}
    (tmp_path / "first_minute.json").write_text(json.dumps(figures))
    growth = {"slopes": {"voxels of a patch": 0.97, "patches of a step": 0.91}, "provenance": "some machine"}
    growth["rows"] = [
        {"patch": p, "batch": b, "patches": b + 1, "seconds": p / 100, "peak_gib": 1.0}
        for p, b in ((16, 4), (32, 4), (32, 8))
    ]
    (tmp_path / "growth_training.json").write_text(json.dumps(growth))
    report.main([str(tmp_path)])
    page = (tmp_path / "benchmarks.md").read_text()
    assert "0.71 (at most 1.5: met)" in page and "0.97" in page
    assert "Not measured yet: throughput, pipeline" in page
    assert docs.stat().st_mtime_ns == before
    assert (tmp_path / "growth_training.png").is_file() and not (tmp_path / "throughput.png").exists()
