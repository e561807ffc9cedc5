"""The page of the benchmarks, of the figures that there are."""

import json
import re

import numpy as np

from benchmarks import report
from benchmarks.plots import OTHERS, OURS
from tests.pages import is_colour, picture


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
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    assert rows[0] == ["target", "reached"]
    assert ["seconds to the text of `train --help`", "0.71 (at most 1.5: met)"] in rows
    # Nothing is said of what was not measured.
    assert not any("throughput" in cell or "PyTorch" in cell for row in rows for cell in row)
    missing = re.search(r"^Not measured yet: (.*)\.$", page, re.MULTILINE)[1].split(", ")
    assert missing == [name for name in report.BENCHMARKS if name not in ("first_minute", "growth_training")]
    assert "0.97" in page and "0.91" in page
    assert re.findall(r"!\[.*\]\((.*)\)", page) == ["./growth_training.png"]
    assert docs.stat().st_mtime_ns == before
    pixels = picture(tmp_path / "growth_training.png")
    assert pixels.shape == (352, 990, 3)
    for panel in (pixels[:, :495], pixels[:, 495:]):
        for colour in (OURS, OTHERS):
            assert np.count_nonzero(is_colour(panel, colour)) > 100, colour
    assert not (tmp_path / "throughput.png").exists()
