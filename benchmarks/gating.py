"""What gating costs in accuracy and saves in time: `python -m benchmarks.gating RUN`.

Dice of the run's test subjects, and mean seconds a scan, with stage 3 refining only where stage 1 finds brain, and
refining all that is not 0.
"""

import argparse
import time
from pathlib import Path

from benchmarks.provenance import provenance
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.datasets.cohort import read_labels
from tf_msgan.evaluation.metrics import mean_scores, score
from tf_msgan.inference.own_grid import segment_volumes
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.io.images import read_images, reference_of
from tf_msgan.runs.run_record import read_run_record, recorded_cohort, recorded_split
from tf_msgan.runs.trained_model import load_model


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gating", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--data", metavar="DIR", help="where the run's scans lie now (default: where they lay)")
    return parser.parse_args(argv)


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    recorded = read_run_record(options.run)
    cohort = recorded_cohort(recorded, options.data)
    subjects = recorded_split(recorded, options.run, cohort).test
    model = load_model(options.run)
    print(provenance())
    means = {}
    for name, gated in (("gated", True), ("all tiles", False)):
        segmenter, scores, seconds = Segmenter(model, gated=gated), {}, []
        for subject_id in subjects:
            volumes = read_images(cohort.subjects[subject_id].images)
            if not seconds:
                # Traces the graph.
                segment_volumes(volumes, segmenter)
            begin = time.perf_counter()
            result = segment_volumes(volumes, segmenter)
            seconds.append(time.perf_counter() - begin)
            truth = read_labels(cohort, subject_id, volumes)
            scores[subject_id] = score(truth, result.labels, model.tissues, reference_of(volumes).spacing)
        means[name] = {tissue: values["dice"] for tissue, values in mean_scores(scores).items()}
        dice = "  ".join(f"{tissue} {value:.4f}" for tissue, value in means[name].items())
        print(f"{name:<10}{dice}  {sum(seconds) / len(seconds):.1f} s a scan", flush=True)
    apart = max(abs(means["gated"][tissue] - means["all tiles"][tissue]) for tissue in model.tissues)
    print(f"largest difference {apart:.5f} (target under 0.001)", "on phantoms" if recorded.data.phantoms else "")


if __name__ == "__main__":
    main()
