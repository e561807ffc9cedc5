"""What a training step costs: `python -m benchmarks.step`.

For each precision, in a process of its own: seconds and floating-point operations of one step of each network (forward,
backward and update, on as many patches as a step has, labelled and unlabelled), of a plain U-Net of the refiner's size,
and of the whole multi-stage step; patches a second, the share of the time in which the step waits for data, and peak
memory. All are timed in turns; figures are medians. The data are the embedded phantoms.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import keras
import tensorflow as tf

from benchmarks.flops import count_flops
from benchmarks.patches import patches_of_phantoms
from benchmarks.provenance import provenance
from benchmarks.resident import peak_gib
from tf_msgan.config import PRECISIONS, PRESETS
from tf_msgan.files import write_json
from tf_msgan.models.unet import build_unet
from tf_msgan.training import losses
from tf_msgan.training.precision import dtype_policy
from tf_msgan.training.runtime import build_model, make_optimizer


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["float32", "mixed_bfloat16"])
    parser.add_argument("--batch-size", type=int, default=4, help="labelled patches")
    parser.add_argument("--patch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--measure", choices=PRECISIONS, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def network_step(network, inputs, loss, config):
    """A concrete function that does one step of a network alone."""
    optimizer = make_optimizer(config.training)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = optimizer.scale_loss(loss(network(inputs, training=True)))
        gradients = tape.gradient(value, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    return step.get_concrete_function()


def any_loss(outputs):
    """Reaches every output; what it says is no matter to the time."""
    return sum(tf.reduce_mean(tf.square(tf.cast(output, tf.float32))) for output in tf.nest.flatten(outputs))


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(config, repeats):
    training = config.training
    model = build_model(2, ("CSF", "GM", "WM"), config)
    stream = patches_of_phantoms(model)
    batch = next(iter(stream))
    x = tf.concat([batch[kind]["image"] for kind in ("labelled", "unlabelled")], 0)
    context = tf.concat([batch[kind]["context"] for kind in ("labelled", "unlabelled")], 0)
    count = sum(training.batch_sizes)
    labels = tf.concat([batch["labelled"]["labels"]] * 2, 0)[:count]

    inputs = {
        "coarse": context,
        "noise": [x, tf.zeros((count, config.network.latent))],
        "encoder": x,
        "refine": [x, x[..., :1]],
        "discriminator": x,
    }
    steps = {name: network_step(n, inputs[name], any_loss, config) for name, n in model.networks().items()}
    with dtype_policy(training.precision):
        unet = build_unet(2, 4)
    steps["U-Net"] = network_step(unet, x, lambda p: losses.segmentation_loss(p, labels), config)
    steps["whole step"] = tf.function(lambda: model.train_step(batch)).get_concrete_function()

    times = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(repeats):
        for name, step in steps.items():
            times[name].append(seconds(step))

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
    return {
        "seconds": {name: statistics.median(values) for name, values in times.items()},
        "flops": {name: count_flops(step) for name, step in steps.items()},
        "parameters": {"U-Net": unet.count_params(), **{n: net.count_params() for n, net in model.networks().items()}},
        "patches_per_second": count / statistics.median(fed),
        "waiting_share": sum(waits) / sum(fed),
        "peak_memory_gib": peak_gib(),
    }


def show(precision, figures, count):
    print(f"\n{precision}, {count} patches")
    print(f"{'':<16}{'parameters':>12}{'seconds':>10}{'GFLOP':>10}{'GFLOP/s':>10}")
    for name, value in figures["seconds"].items():
        flops = figures["flops"][name] / 1e9
        parameters = figures["parameters"].get(name, "")
        print(f"{name:<16}{parameters:>12}{value:>10.3f}{flops:>10.1f}{flops / value:>10.1f}")
    whole, unet = ((figures["seconds"][n], figures["flops"][n]) for n in ("whole step", "U-Net"))
    rate = (whole[1] / whole[0]) / (unet[1] / unet[0])
    print(f"whole step / U-Net step: time {whole[0] / unet[0]:.2f} (target at most 5), rate {rate:.2f} (at least 0.9)")
    print(f"patches a second {figures['patches_per_second']:.2f}, ", end="")
    print(f"waiting for data {100 * figures['waiting_share']:.1f} % of a step (target under 5), ", end="")
    print(f"peak memory {figures['peak_memory_gib']:.2f} GiB", flush=True)


def main(argv=None):
    options = parse(argv)
    plan = {"batch_size": options.batch_size, "patch": options.patch}
    config = PRESETS["best"].with_training(**plan)
    if options.measure:
        print(json.dumps(measure(config.with_training(precision=options.measure), options.repeats)))
        return
    report = {"provenance": provenance(), **plan}
    print(report["provenance"])
    for precision in options.precisions:
        command = [sys.executable, "-m", "benchmarks.step", *(argv or sys.argv[1:]), "--measure", precision]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        report[precision] = json.loads(result.stdout.splitlines()[-1])
        show(precision, report[precision], sum(config.training.batch_sizes))
    if options.json:
        write_json(options.json, report)


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    main()
