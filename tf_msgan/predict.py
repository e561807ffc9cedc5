"""Segments scans with trained runs or through TF Serving, each on its own grid: `python -m tf_msgan.predict RUN`."""

import argparse
import sys
from pathlib import Path

from tf_msgan.data.cases import Cases, case_of_files, find_cases, read_case_list, take_shard
from tf_msgan.errors import InputError, exit_on_input_error
from tf_msgan.progress import Progress
from tf_msgan.quiet import quiet_import
from tf_msgan.run_folder import read_run_config

# Seconds for a scan, of a server.
DEADLINE = 600


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m tf_msgan.predict", description=__doc__)
    parser.add_argument(
        "runs",
        metavar="RUN",
        type=Path,
        nargs="*",
        help="folder of a run by tf_msgan.train; of several, as of folds, the probabilities are averaged",
    )
    server = parser.add_argument_group("instead of a RUN")
    server.add_argument(
        "--serving", metavar="HOST:PORT", help="gRPC port of TF Serving with a model of tf_msgan.export"
    )
    server.add_argument("--name", help="of that model")
    server.add_argument("--deadline", type=float, help=f"seconds for a scan (default: {DEADLINE})")
    scans = parser.add_mutually_exclusive_group(required=True)
    scans.add_argument(
        "--input", nargs="+", metavar="FILE", help="one scan, a file a modality in the run's order, or the word `none`"
    )
    scans.add_argument("--list", type=Path, metavar="FILE.tsv", help="a scan a line, its files parted by tabs")
    scans.add_argument(
        "--input-dir", type=Path, metavar="DIR", help="nnU-Net's names, BIDS, CASE_T1.nii.gz, or a folder a case"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the segmentations go")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="only the I-th of N parts of the cases")
    parser.add_argument("--skip-existing", action="store_true", help="leave out scans that this model segmented there")
    parser.add_argument("--tta", action="store_true", help="average over the scan and its mirror image; twice the time")
    parser.add_argument("--entropy", action="store_true", help="write maps of how unsure each voxel is, 0..1")
    parser.add_argument("--realness", action="store_true", help="write maps of P(real) by the discriminator, 0..1")
    parser.add_argument("--figure", action="store_true", help="draw three planes with contours beside each label map")
    parser.add_argument("--threads", type=int, metavar="N", help="of TensorFlow (default: all cores)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    return parser.parse_args(argv)


def check_options(options):
    if bool(options.runs) == bool(options.serving):
        raise InputError("RUN", "both" if options.runs else "nothing", "either RUN or --serving HOST:PORT --name NAME")
    if len({run.resolve() for run in options.runs}) < len(options.runs):
        raise InputError("RUN", " ".join(map(str, options.runs)), "each run once")
    if (options.name is None) != (options.serving is None):
        raise InputError("--name", options.name or "nothing", "the name of a model, with --serving alone")
    for name in ("tta", "realness", "threads"):
        if options.serving and getattr(options, name):
            raise InputError(f"--{name}", "--serving beside it", "a RUN: the server's model is as it was exported")
    if options.threads is not None and options.threads < 1:
        raise InputError("--threads", options.threads, "1 or more")
    if options.deadline is not None and not (options.serving and options.deadline > 0):
        raise InputError("--deadline", options.deadline, "above 0, with --serving alone")


def connect(options):
    with quiet_import():
        from tf_msgan.inference.serving import ServedSegmenter
    return ServedSegmenter(options.serving, options.name, options.deadline or DEADLINE)


def load(options):
    with quiet_import():
        from tf_msgan.inference.ensemble import Ensemble
        from tf_msgan.inference.segmenter import Segmenter
        from tf_msgan.training.run import load_model
        from tf_msgan.training.runtime import set_threads
    if options.threads is not None:
        set_threads(options.threads)
    segmenters = {}
    for run in options.runs:
        model = load_model(run)
        if options.realness and not model.JUDGES:
            raise InputError("--realness", f"{run}, of a {model.config.model}", "a model with a discriminator")
        if options.realness and not model.judged:
            raise InputError("--realness", f"{run}, whose best epoch lies before the game", "a D that has learnt")
        segmenters[str(run)] = Segmenter(model, mirrored=options.tta, with_realness=options.realness)
    return Ensemble(segmenters)


def read_modalities(runs: list[Path]) -> list[str]:
    """The modalities of all runs, in their order."""
    first, *others = (read_run_config(run)["data"]["modalities"] for run in runs)
    for run, modalities in zip(runs[1:], others, strict=True):
        if modalities != first:
            raise InputError(run, f"the modalities {', '.join(modalities)}", f"{', '.join(first)} as of {runs[0]}")
    return first


def read_cases(options, modalities) -> Cases:
    if options.input:
        return Cases("plain", [case_of_files(options.input, modalities)])
    if options.list:
        return read_case_list(options.list, modalities)
    return find_cases(options.input_dir, modalities)


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    check_options(options)
    server = connect(options) if options.serving else None
    modalities = server.modalities if server else read_modalities(options.runs)
    found = read_cases(options, modalities)
    mine = take_shard(found.cases, options.shard)
    segmenter = server or load(options)
    with quiet_import():
        from tf_msgan.data.digest import digest_file
        from tf_msgan.evaluation.quality import draw, is_done, write_page
        from tf_msgan.inference.outputs import Outputs
        from tf_msgan.inference.predict_cases import predict_cases
    if server:
        source = f"{options.name} at {options.serving}"
    else:
        models = [f"{run.resolve()}, model {digest_file(run / 'model.keras')[:12]}" for run in options.runs]
        source = f"the run {' and the run '.join(models)}{', with --tta' if options.tta else ''}"
    outputs = Outputs(options.output, found.naming, segmenter.tissues, source, options.entropy)
    outputs.begin()
    if options.skip_existing:
        maps = {"entropy.nii.gz": options.entropy, "realness.nii.gz": options.realness, "figure.png": options.figure}
        wanted = [kind for kind, asked in maps.items() if asked]
        mine = [case for case in mine if not is_done(case, outputs, wanted)]

    show = Progress(not options.no_progress).task("segmenting")
    failed = []
    how = (segmenter, segmenter.preparation, segmenter.takes_missing_modality)
    for done, prediction in enumerate(predict_cases(mine, modalities, *how, outputs), start=1):
        if prediction.error:
            failed.append(prediction)
        else:
            draw(prediction, outputs, options.figure)
            for doubt in prediction.doubts:
                print(f"warning: {prediction.case.id}: {doubt}")
        show(done, len(mine))
    page = write_page(found.cases, outputs)
    print(f"{len(mine) - len(failed)} segmented, {len(failed)} failed, of {len(found.cases)} cases; see {page}")
    for prediction in failed:
        print(f"error: {prediction.case.id}: {prediction.error}", file=sys.stderr)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
