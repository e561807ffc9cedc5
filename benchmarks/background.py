"""Which value should the background have? Trains the refiner alone, supervised, with each choice.

    python -m benchmarks.background --data DIR --layout albert --split albert-few-shot

Prints Dice on the validation subject. Zero is the mean brain after z-scoring.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from benchmarks.provenance import provenance
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.config import Augmentation, TrainingConfig
from tf_msgan.datasets.layouts import LAYOUTS, read_cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import read_split
from tf_msgan.models.losses import segmentation_loss
from tf_msgan.models.step_metrics import TissueDice
from tf_msgan.networks.refining_generator import build_refine_generator
from tf_msgan.patches.scan_source import hold_scans
from tf_msgan.patches.streams import training_stream, validation_stream
from tf_msgan.preprocessing.reserved_values import BACKGROUND
from tf_msgan.training.schedule import make_schedule


def represent(image, choice):
    """Returns the network's input for a stream's image: another fill, or 0 and a mask channel."""
    brain = image != BACKGROUND
    if choice == "mask":
        mask = tf.cast(brain[..., :1], tf.float32)
        return tf.concat([tf.where(brain, image, 0.0), mask], axis=-1)
    return tf.where(brain, image, float(choice))


def train(choice, seed, cohort, labelled, validation, steps):
    keras.utils.set_random_seed(seed)
    training = TrainingConfig(epochs=1, steps_per_epoch=steps, lr=1e-3, warmup_steps=50, seed=seed)
    patch = (training.patch,) * 3
    classes = len(cohort.labels.tissues) + 1
    channels = len(cohort.modalities) + (choice == "mask")
    network = build_refine_generator(channels, classes)
    optimizer = keras.optimizers.AdamW(
        make_schedule(training), weight_decay=training.weight_decay, global_clipnorm=training.clip_norm
    )
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(image, labels):
        with tf.GradientTape() as tape:
            x = represent(image, choice)
            loss = segmentation_loss(network([x, tf.ones_like(x[..., :1])], training=True), labels)
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    stream = training_stream(
        labelled,
        unlabelled=None,
        patch=patch,
        batch_sizes=(4, 1),
        foreground=training.foreground,
        augmentation=Augmentation(),
        seed=seed,
    )
    for batch in stream.take(steps):
        step(batch["labelled"]["image"], batch["labelled"]["labels"])
    dice = TissueDice(cohort.labels.tissues)
    for batch in validation_stream(validation, patch, batch_size=8):
        x = represent(batch["image"], choice)
        dice.update_state(batch["labels"], network([x, tf.ones_like(x[..., :1])]))
    return {name: float(score) for name, score in dice.result().items()}


@exit_on_input_error
def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--layout", choices=LAYOUTS, required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args(argv)

    cohort = read_cohort(options.data, options.layout)
    split = read_split(options.split, cohort)
    labelled = hold_scans(load_scan(cohort, subject_id, with_labels=True) for subject_id in split.train)
    validation = hold_scans(load_scan(cohort, subject_id, with_labels=True) for subject_id in split.validation)
    print(provenance())
    for choice in ("0", "-2", "-4", "mask"):
        for seed in range(options.seeds):
            scores = train(choice, seed, cohort, labelled, validation, options.steps)
            print(f"background {choice:>4}  seed {seed}  {scores}", flush=True)


if __name__ == "__main__":
    main()
