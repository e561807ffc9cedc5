"""Segments scans with trained runs or through TF Serving, each on its own grid: `python -m tf_msgan.predict RUN`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tf_msgan.cli.command import command
from tf_msgan.cli.program import program
from tf_msgan.cli.quiet_import import quiet_import
from tf_msgan.cli.terminal_progress import TerminalProgress
from tf_msgan.datasets.cases import Cases, case_of_files, read_case_list, take_shard
from tf_msgan.datasets.find_cases import find_cases
from tf_msgan.errors import InputError, OptionError, require
from tf_msgan.runs.model_file import read_modalities

if TYPE_CHECKING:
    from tf_msgan.inference.predictor import Predictor

# Seconds for a scan, of a server.
DEADLINE = 600


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("tf_msgan.predict"), description=__doc__)
    parser.add_argument(
        "runs",
        metavar="RUN",
        type=Path,
        nargs="*",
        help="folder of a run by tf_msgan.train, or its model.keras; of several, the probabilities are averaged",
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
    parser.add_argument(
        "--p-real", "--realness", action="store_true", help="write maps of P(real) by the discriminator, 0..1"
    )
    parser.add_argument("--figure", action="store_true", help="draw three planes with contours beside each label map")
    parser.add_argument("--threads", type=int, metavar="N", help="of TensorFlow (default: all cores)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    return parser


def check_options(options: argparse.Namespace) -> None:
    """Refuses options that do not go together."""
    if bool(options.runs) == bool(options.serving):
        raise InputError("RUN", "both" if options.runs else "nothing", "either RUN or --serving HOST:PORT --name NAME")
    if len({run.resolve() for run in options.runs}) < len(options.runs):
        raise InputError("RUN", " ".join(map(str, options.runs)), "each run once")
    if (options.name is None) != (options.serving is None):
        raise OptionError("name", options.name or "nothing", "the name of a model, with --serving alone")
    for name in ("tta", "p_real", "threads"):
        if options.serving and getattr(options, name):
            raise OptionError(name, "--serving beside it", "a RUN: the server's model is as it was exported")
    if options.threads is not None and options.threads < 1:
        raise OptionError("threads", options.threads, "1 or more")
    if options.deadline is not None and not (options.serving and options.deadline > 0):
        raise OptionError("deadline", options.deadline, "above 0, with --serving alone")


def connect(options: argparse.Namespace) -> "Predictor":
    """Returns what segments through a server."""
    require("tensorflow_serving", "serving", "--serving")
    with quiet_import():
        from tf_msgan.inference.predictor import Predictor
        from tf_msgan.inference.serving import ServedSegmenter
    server = ServedSegmenter(options.serving, options.name, options.deadline or DEADLINE)
    return Predictor(server, server.modalities, f"{options.name} at {options.serving}")


def load(options: argparse.Namespace) -> "Predictor":
    """Returns the trained model of the runs."""
    with quiet_import():
        from tf_msgan.cli.threads import set_threads
        from tf_msgan.inference import predictor
    if options.threads is not None:
        set_threads(options.threads)
    return predictor.load(*options.runs, tta=options.tta, p_real=options.p_real)


def read_cases(options: argparse.Namespace, modalities: tuple[str, ...]) -> Cases:
    """Returns the scans that are to be segmented."""
    if options.input:
        return Cases("plain", [case_of_files(options.input, modalities)])
    if options.list:
        return read_case_list(options.list, modalities)
    return find_cases(options.input_dir, modalities)


@command(make_parser)
def main(options: argparse.Namespace) -> None:
    check_options(options)
    # What is wrong with the scans' names is said before a model is loaded.
    predictor = connect(options) if options.serving else None
    modalities = predictor.modalities if predictor else read_modalities(options.runs[0])
    found = read_cases(options, modalities)
    mine = take_shard(found.cases, options.shard)
    predictor = predictor or load(options)
    with quiet_import():
        from tf_msgan.cli.device import describe_device
        from tf_msgan.evaluation.quality import draw, is_done, write_page
        from tf_msgan.inference.outputs import Outputs
        from tf_msgan.inference.predict_cases import predict_cases
    if not options.serving:
        print(describe_device(), flush=True)
    outputs = Outputs(
        options.output,
        naming=found.naming,
        tissues=predictor.tissues,
        source=predictor.source,
        with_entropy=options.entropy,
    )
    outputs.begin()
    if options.skip_existing:
        maps = {"entropy.nii.gz": options.entropy, "preal.nii.gz": options.p_real, "figure.png": options.figure}
        wanted = [kind for kind, asked in maps.items() if asked]
        mine = [case for case in mine if not is_done(case, outputs, wanted)]

    progress = TerminalProgress(not options.no_progress)
    failed = []
    for done, prediction in enumerate(predict_cases(mine, predictor, outputs), start=1):
        if prediction.error:
            failed.append(prediction)
        else:
            draw(prediction, outputs, options.figure)
            for doubt in prediction.doubts:
                print(f"warning: {prediction.case.id}: {doubt}")
        progress("segmenting", done, len(mine))
    page = write_page(found.cases, outputs)
    print(f"{len(mine) - len(failed)} segmented, {len(failed)} failed, of {len(found.cases)} cases; see {page}")
    for prediction in failed:
        print(f"error: {prediction.case.id}: {prediction.error}", file=sys.stderr)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
