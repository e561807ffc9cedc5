"""Training throughput beside PyTorch and MONAI: `python -m benchmarks.throughput --peers .venv-peers/bin/python`.

Patches a second of whole training steps (forward, backward, clipping, update), for patches of 32³ and 64³ and batches
of 4 and 30: this project's U-Net and its multi-stage step; the same U-Net in PyTorch, and MONAI's `BasicUNet` and
`UNet` of as many parameters, each in that of PyTorch's two memory formats that is better for small batches. U-Nets in
mixed bfloat16 too, where the processor multiplies it. Data lie in memory. A process each, in turns; figures are
medians. The multi-stage step counts its unlabelled patches too.
"""

import argparse
import json
import sys

from benchmarks.bfloat16 import multiplies_bfloat16
from benchmarks.provenance import peer_versions, provenance
from benchmarks.turns import take_turns
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.io.atomic_files import write_json

SIZES = ((32, 4), (32, 30), (64, 4), (64, 30))
FLOAT, MIXED = "float32", "mixed_bfloat16"
# By name: the model or network, its precision.
OURS = {"U-Net": ("unet", FLOAT), "multi-stage": ("multi-stage", FLOAT), "U-Net, bfloat16": ("unet", MIXED)}
PEERS = {
    "same U-Net, PyTorch": ("SameUNet", FLOAT),
    "BasicUNet, MONAI": ("BasicUNet", FLOAT),
    "UNet, MONAI": ("UNet", FLOAT),
    "same U-Net, PyTorch, bfloat16": ("SameUNet", MIXED),
}
TARGET = 1.5
# The activations of the first take 32 GB (`tf_msgan.train --dry-run`); a step of the second, most of a minute.
LEFT_OUT = {("multi-stage", 64, 30), ("BasicUNet, MONAI", 64, 30)}


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", required=True, help="of benchmarks/requirements-peers.txt")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measure(name, precision, patch, batch, threads):
    """Measures the seconds of a step of one of this project's models on the phantoms' patches, and the patches in
    it."""
    import dataclasses

    import tensorflow as tf

    from benchmarks.patches import patches_of_phantoms
    from benchmarks.resident import peak_gib
    from benchmarks.timing import median_seconds
    from tf_msgan.cli.threads import set_threads
    from tf_msgan.config import PRESETS
    from tf_msgan.training.build_model import build_model

    set_threads(threads)
    # AdamW as in the others' steps.
    training = {"patch": patch, "batch_size": batch, "precision": precision, "optimizer": "adamw"}
    config = dataclasses.replace(PRESETS["best"].with_training(**training), model=name)
    model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), config)
    first = next(iter(patches_of_phantoms(model)))
    step = tf.function(lambda: model.train_step(first))
    seconds = median_seconds(lambda: [value.numpy() for value in step().values()])
    parameters = sum(network.count_params() for network in model.networks().values())
    patches = sum(config.training.batch_sizes) if model.config.has_adversarial_phase else batch
    return {"seconds": seconds, "patches": patches, "peak_gib": peak_gib(), "parameters": parameters}


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    if options.measure:
        *what, patch, batch = options.measure
        print(json.dumps(measure(*what, int(patch), int(batch), options.threads)))
        return
    print(provenance(), flush=True)
    rows, formats = [], {}
    for patch, batch in SIZES:
        wanted = commands_of(options, patch, batch, formats)
        for name, figures in take_turns(wanted, options.rounds, options.threads).items():
            rows.append({"name": name, "patch": patch, "batch": batch, **figures})
            rows[-1]["patches_per_second"] = figures.get("patches", batch) / figures["seconds"]
            formats[name, patch] = figures.get("format")
        show(rows, patch, batch)
    if options.json:
        about = {"provenance": provenance(), "peers": peer_versions(options.peers)}
        write_json(options.json, {**about, "target": TARGET, "rows": rows})


def commands_of(options, patch, batch, formats):
    """Returns, by name, the commands to be timed; a peer in the memory format that `formats` has for it, or in both."""
    size = (patch, batch)
    this = [sys.executable, "-m", "benchmarks.throughput", "--peers", "", "--threads", options.threads, "--measure"]
    that = [options.peers, "-m", "benchmarks.peers.step", options.threads]
    commands = {name: [*this, *what, *size] for name, what in OURS.items()}
    commands |= {name: [*that, formats.get((name, patch), "both"), *what, *size] for name, what in PEERS.items()}
    slow = not multiplies_bfloat16()
    left_out = {name for name, command in commands.items() if (name, *size) in LEFT_OUT or (slow and MIXED in command)}
    return {name: command for name, command in commands.items() if name not in left_out}


def show(rows, patch, batch):
    print(f"\n{patch}³, batch {batch}")
    print(f"{'':<32}{'parameters':>12}{'seconds':>9}{'patches/s':>11}{'GiB':>7}  format")
    here = {row["name"]: row for row in rows if (row["patch"], row["batch"]) == (patch, batch)}
    for name, row in here.items():
        figures = f"{row['parameters']:>12,}{row['seconds']:>9.3f}{row['patches_per_second']:>11.2f}"
        print(f"{name:<32}{figures}{row['peak_gib']:>7.1f}  {row.get('format', '')}")
    for mine, other in compared(here):
        ratio = here[mine]["patches_per_second"] / here[other]["patches_per_second"]
        print(f"{mine} / {other}: {ratio:.2f} (target at least {TARGET})", flush=True)


def compared(names):
    """Returns pairs of names: the U-Net with each peer, at equal precision."""
    unets = [name for name in names if name in OURS and OURS[name][0] == "unet"]
    return [(a, b) for a in unets for b in names if b in PEERS and PEERS[b][1] == OURS[a][1]]


if __name__ == "__main__":
    main()
