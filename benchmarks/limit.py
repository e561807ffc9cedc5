"""How close to the machine's limit training and inference come: `python -m benchmarks.limit`.

For each precision, in a process of its own: seconds and floating-point operations of one training step of each network
(forward, backward and update, on four labelled patches and one unlabelled unless asked otherwise), of a plain U-Net of
the refiner's size, and of the whole multi-stage step; of the forward passes of inference; and, beside them, of a
product of two matrices of 4096×4096, in TensorFlow: the rate of that is taken for what the machine can. Also where the
time of the whole step and of the refiner goes, patches a second, the share of the time in which the step waits for
data, and peak memory. All are timed in turns; figures are medians. The data are the embedded phantoms.
"""

import argparse
import json
import statistics
import sys
import time

import keras
import tensorflow as tf

from benchmarks.bfloat16 import multiplies_bfloat16
from benchmarks.flops import count_flops
from benchmarks.operators import operator_shares
from benchmarks.patches import patches_of_phantoms
from benchmarks.provenance import provenance
from benchmarks.resident import peak_gib
from benchmarks.turns import ask
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.cli.threads import set_threads
from tf_msgan.config import PRECISIONS, PRESETS
from tf_msgan.inference.segmenter import tiles_at_once
from tf_msgan.io.atomic_files import write_json
from tf_msgan.models import losses
from tf_msgan.models.precision import dtype_policy
from tf_msgan.networks.unet import build_unet
from tf_msgan.training.build_model import build_model
from tf_msgan.training.optimizers import make_optimizer

MATRIX = 4096
PRODUCT, WHOLE_STEP, UNET = "matrix product", "whole step", "U-Net"
# Of the matrix product's rate.
TARGETS = {"training": 0.4, "inference": 0.5}
FLOAT, MIXED = "float32", "mixed_bfloat16"


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__)
    parser.add_argument(
        "--precisions", nargs="+", choices=PRECISIONS, help="default: float32, and bfloat16 if the processor has it"
    )
    parser.add_argument("--batch-size", type=int, default=4, help="labelled patches")
    parser.add_argument("--patch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", choices=PRECISIONS, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def network_step(network, inputs, loss, config):
    """Returns a concrete function that does one step of a network alone."""
    optimizer = make_optimizer(config.training)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = optimizer.scale_loss(loss(network(inputs, training=True)))
        gradients = tape.gradient(value, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return value

    return step.get_concrete_function()


def any_loss(outputs):
    """Reaches every output; what it says is no matter to the time."""
    return sum(tf.reduce_mean(tf.square(tf.cast(output, tf.float32))) for output in tf.nest.flatten(outputs))


def forward_pass(network, *inputs):
    """Returns a concrete function of a forward pass, which is not thrown away for want of a use."""

    @tf.function
    def forward():
        outputs = network(inputs if len(inputs) > 1 else inputs[0], training=False)
        return [tf.reduce_sum(tf.cast(output, tf.float32)) for output in tf.nest.flatten(outputs)]

    return forward.get_concrete_function()


def matrix_product(precision):
    matrix = tf.cast(tf.random.normal((MATRIX, MATRIX)), precision.removeprefix("mixed_"))
    return tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix))).get_concrete_function()


def seconds(function):
    start = time.perf_counter()
    [value.numpy() for value in tf.nest.flatten(function())]
    return time.perf_counter() - start


def measure(config, repeats):
    training = config.training
    model = build_model(("T1", "T2"), ("CSF", "GM", "WM"), config)
    stream = patches_of_phantoms(model)
    batch = next(iter(stream))
    x = tf.concat([batch[kind]["image"] for kind in ("labelled", "unlabelled")], 0)
    context = tf.concat([batch[kind]["context"] for kind in ("labelled", "unlabelled")], 0)
    count = sum(training.batch_sizes)
    labels = tf.concat([batch["labelled"]["labels"]] * 2, 0)[:count]

    def guide(image):
        return tf.repeat(image[..., :1], model.guides, axis=-1)

    inputs = {
        "coarse": context,
        "noise": [x, tf.zeros((count, config.network.latent))],
        "encoder": x,
        "refine": [x, guide(x)],
        "discriminator": x,
    }
    with dtype_policy(training.precision):
        unet = build_unet(modalities=2, classes=4)
    networks = model.networks()
    trained = {name: network_step(n, inputs[name], any_loss, config) for name, n in networks.items()}
    trained[UNET] = network_step(unet, x, lambda p: losses.segmentation_loss(p, labels), config)
    trained[WHOLE_STEP] = tf.function(lambda: model.train_step(batch)).get_concrete_function()
    tiles = tf.random.normal((tiles_at_once(config.patch), *config.patch, 2))
    drawn = {
        "coarse": forward_pass(networks["coarse"], tiles),
        "refine": forward_pass(networks["refine"], tiles, guide(tiles)),
        UNET: forward_pass(unet, tiles),
    }
    functions = {("training", name): step for name, step in trained.items()}
    functions |= {("inference", name): step for name, step in drawn.items()}
    functions[PRODUCT, ""] = matrix_product(training.precision)

    times = {key: [] for key in functions}
    for number in range(repeats + 1):
        for key, function in functions.items():
            passed = seconds(function)
            if number:
                times[key].append(passed)

    # The same step fed by the pipeline, as `fit` does it.
    iterator, waits, fed = iter(stream), [], []
    step = tf.function(model.train_step, reduce_retracing=True)
    for number in range(repeats + 3):
        start = time.perf_counter()
        batch = next(iterator)
        waited = time.perf_counter() - start
        step(batch)["d_loss"].numpy()
        if number >= 3:
            waits.append(waited)
            fed.append(time.perf_counter() - start)

    medians = {key: statistics.median(values) for key, values in times.items()}
    flops = {key: count_flops(function) for key, function in functions.items()}
    flops[PRODUCT, ""] = 2 * MATRIX**3
    parameters = {name: net.count_params() for name, net in networks.items()} | {UNET: unet.count_params()}
    best = flops[PRODUCT, ""] / medians[PRODUCT, ""]
    return {
        "rows": [
            {
                "what": what,
                "name": name,
                "parameters": parameters.get(name),
                "seconds": medians[what, name],
                "gflop": flops[what, name] / 1e9,
                "share": flops[what, name] / medians[what, name] / best,
            }
            for what, name in functions
        ],
        "operators": {
            "training": operator_shares(functions["training", WHOLE_STEP]),
            "inference": operator_shares(functions["inference", "refine"]),
        },
        "patches": count,
        "tiles": tiles.shape[0],
        "patches_per_second": count / statistics.median(fed),
        "waiting_share": sum(waits) / sum(fed),
        "peak_gib": peak_gib(),
    }


def show(precision, figures):
    print(f"\n{precision}: training on {figures['patches']} patches, inference on {figures['tiles']} tiles")
    print(f"{'':<26}{'parameters':>12}{'seconds':>10}{'GFLOP':>10}{'GFLOP/s':>10}{'share':>8}")
    for row in figures["rows"]:
        name = f"{row['what']} {row['name']}"
        rate = row["gflop"] / row["seconds"]
        numbers = f"{row['seconds']:>10.4f}{row['gflop']:>10.1f}{rate:>10.1f}{row['share']:>8.2f}"
        print(f"{name:<26}{row['parameters'] or '':>12}{numbers}")
    rows = {(row["what"], row["name"]): row for row in figures["rows"]}
    for what, name in (("training", WHOLE_STEP), ("training", UNET), ("inference", "refine"), ("inference", UNET)):
        share = rows[what, name]["share"]
        print(f"{what}, {name}: {share:.2f} of the matrix product's rate (target at least {TARGETS[what]})")
    for what, shares in figures["operators"].items():
        print(f"{what}, by operator: " + ", ".join(f"{kind} {100 * s:.0f} %" for kind, s in list(shares.items())[:8]))
    whole, unet = (rows["training", name] for name in (WHOLE_STEP, UNET))
    print(f"whole step / U-Net step: time {whole['seconds'] / unet['seconds']:.2f} (target at most 5), ", end="")
    print(f"rate {whole['share'] / unet['share']:.2f} (at least 0.9)")
    print(f"patches a second {figures['patches_per_second']:.2f}, ", end="")
    print(f"waiting for data {100 * figures['waiting_share']:.1f} % of a step (target under 5), ", end="")
    print(f"peak memory {figures['peak_gib']:.2f} GiB", flush=True)


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    # Of Muon's products no operations are counted.
    plan = {"batch_size": options.batch_size, "patch": options.patch, "optimizer": "adamw"}
    config = PRESETS["best"].with_training(**plan)
    if options.measure:
        set_threads(options.threads)
        print(json.dumps(measure(config.with_training(precision=options.measure), options.repeats)))
        return
    report = {"provenance": provenance(), "targets": TARGETS, **plan}
    print(report["provenance"])
    report["precisions"] = {}
    for precision in options.precisions or ([FLOAT, MIXED] if multiplies_bfloat16() else [FLOAT]):
        command = [sys.executable, "-m", "benchmarks.limit", *(argv or sys.argv[1:]), "--measure", precision]
        report["precisions"][precision] = ask(command, options.threads)
        show(precision, report["precisions"][precision])
    if options.json:
        write_json(options.json, report)


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    main()
