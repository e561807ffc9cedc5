"""Renders a page from all figures: `python -m benchmarks.report docs/results/benchmarks`.

Those of that folder are `docs/benchmarks.md`, those of another one its own `benchmarks.md`. Plots lie beside the
figures. What was not measured yet is left out, and named.
"""

import argparse
import json
import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks import plots
from tf_msgan.io.atomic_files import write_text

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
RESULTS = DOCS / "results" / "benchmarks"
# By benchmark: its plot, if it has one.
BENCHMARKS = {
    "throughput": plots.draw_throughput,
    "pipeline": plots.draw_pipeline,
    "whole_volume": plots.draw_whole_volume,
    "limit": plots.draw_limit,
    "growth_training": plots.draw_growth_training,
    "growth_volume": plots.draw_growth_volume,
    "growth_cohort": plots.draw_growth_cohort,
    "first_minute": None,
    "accuracy": plots.draw_accuracy,
}


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("results", metavar="DIR", type=Path, help="folder of the figures, NAME.json")
    return parser.parse_args(argv)


def read_figures(folder: Path) -> dict:
    """Reads what was measured, by benchmark; None for what was not."""
    paths = {name: folder / f"{name}.json" for name in BENCHMARKS} | {"accuracy": folder / "accuracy" / "accuracy.json"}
    return {name: json.loads(p.read_text(encoding="utf-8")) if p.exists() else None for name, p in paths.items()}


def main(argv=None):
    folder = parse(argv).results
    figures = read_figures(folder)
    for name, draw in BENCHMARKS.items():
        if draw and figures[name]:
            draw(figures[name], folder / f"{name}.png")
    environment = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    missing = [name for name, content in figures.items() if content is None]
    page = (DOCS if folder.resolve() == RESULTS else folder) / "benchmarks.md"
    where = os.path.relpath(folder, page.parent)
    write_text(page, environment.get_template("benchmarks.md.jinja").render(figures, missing=missing, folder=where))
    print(f"{page}; not measured: {', '.join(missing) or 'nothing'}")


if __name__ == "__main__":
    main()
