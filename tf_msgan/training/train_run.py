"""A training run: from scans to a run folder (README, "A run folder holds")."""

import functools
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.load_scan import load_scan
from tf_msgan.datasets.splits import Split
from tf_msgan.errors import memory_named
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.patches.scan_source import ScanSource, hold_scans
from tf_msgan.patches.shards import shard_scans
from tf_msgan.patches.streams import WHOLE, Share, count_validation_batches, training_stream, validation_stream
from tf_msgan.progress import Progress, silent
from tf_msgan.training.build_model import build_model
from tf_msgan.training.callbacks import EpochFacts, KeepRun, StopAtNonFinite, StopEarly
from tf_msgan.training.checkpoint import read_checkpoint
from tf_msgan.training.samples import KeepSamples
from tf_msgan.training.stopping import reason_to_stop
from tf_msgan.training.strategy import distribute, is_chief, lost_worker_named, several_workers

LOGGER = logging.getLogger(__name__)

# Patches of a validation batch; it changes no figure.
VALIDATION_BATCH = 8


@dataclass(frozen=True)
class TrainingScans:
    """The scans that training sees, by role; `labelled` and `validation` have labels, `unlabelled` have none. There may
    be no `validation`."""

    labelled: ScanSource
    unlabelled: ScanSource
    validation: ScanSource | None


def whose_scans(split: Split, config: Config) -> dict[str, tuple[str, ...]]:
    """Returns the ids of `TrainingScans`, by role."""
    # The adversarial phase needs scans without labels; without any, those of the training subjects serve.
    unlabelled = split.unlabeled or split.train
    if not config.has_adversarial_phase:
        # It is shown what the networks make of one.
        unlabelled = unlabelled[:1]
    return {"labelled": split.train, "unlabelled": unlabelled, "validation": split.validation}


def load_training_scans(
    cohort: Cohort, split: Split, config: Config, cache: Path | None = None, progress: Progress = silent
) -> TrainingScans:
    """Reads the scans of every role but the test, into memory or, one at a time, into shards in the folder `cache`.

    Raises:
        InputError: a file is wrong, or there is no memory left.
    """

    def load(ids: tuple[str, ...], with_labels: bool) -> ScanSource:
        if cache is not None:
            return shard_scans(cache, cohort, ids, with_labels, config.preparation, progress)
        with memory_named(cohort.root, "fewer scans, or --cache"):
            return hold_scans(load_scan(cohort, subject_id, with_labels, config.preparation) for subject_id in ids)

    ids = whose_scans(split, config)
    return TrainingScans(
        labelled=load(ids["labelled"], with_labels=True),
        unlabelled=load(ids["unlabelled"], with_labels=False),
        validation=load(ids["validation"], with_labels=True) if ids["validation"] else None,
    )


def phases(model: SegmentationModel) -> list[tuple[range, bool]]:
    """Returns the supervised and the adversarial phase: the epochs of each, maybe none, and whether it is adversarial,
    with unlabelled patches."""
    training = model.config.training
    alone = training.labelled_epochs if model.config.has_adversarial_phase else training.epochs
    return [(range(alone), False), (range(alone, training.epochs), True)]


def training_patches(
    model: SegmentationModel, scans: TrainingScans, adversarial: bool, first_batch: int = 0, share: Share = WHOLE
) -> tf.data.Dataset:
    """Returns the `training_stream` that a model learns from in a phase, by its config; one without stages is given no
    contexts."""
    config, training = model.config, model.config.training
    return training_stream(
        labelled=scans.labelled,
        unlabelled=scans.unlabelled if adversarial else None,
        patch=config.patch,
        batch_sizes=training.batch_sizes,
        foreground=training.foreground,
        augmentation=config.augmentation,
        seed=training.seed,
        first_batch=first_batch,
        share=share,
        contexts=model.has_coarse_stage,
    )


def validation_patches(model: SegmentationModel, scans: ScanSource, share: Share = WHOLE) -> tf.data.Dataset:
    """Returns the `validation_stream` of a model."""
    patch, contexts = model.config.patch, model.has_coarse_stage
    return validation_stream(scans, patch, VALIDATION_BATCH, share, contexts=contexts)


def train_run(
    run: Path,
    scans: TrainingScans,
    modalities: Sequence[str],
    tissues: Sequence[str],
    config: Config,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    resume: bool = False,
    max_minutes: float | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> SegmentationModel:
    """Trains with `model.fit`, and leaves the best model of all epochs in `run/model.keras`. Returns the last one.

    Args:
        run: an existing folder; with several workers, one that all of them see.
        scans: what to learn from.
        modalities, tissues: names of the channels, and of the classes 1, 2, ….
        config: of the run.
        callbacks: of Keras, such as one that shows how far the training is; of several workers, only one's are called.
        resume: go on from the run's newest checkpoint that is whole.
        max_minutes: of training in all.
        strategy: of `make_strategy`; one device by default.

    Raises:
        InputError: no checkpoint can be read, a loss is not finite, a worker is gone, or there is no memory left.
    """
    training = config.training
    strategy = strategy or tf.distribute.get_strategy()
    checkpoint = read_checkpoint(run) if resume else None
    with lost_worker_named(several_workers(strategy)), strategy.scope():
        model = build_model(modalities, tissues, config)
    keep = KeepRun(run, writes=is_chief(strategy))
    if checkpoint:
        keep.restore(model, checkpoint)
    if resume:
        LOGGER.info("resuming: %d of %d epochs are done", keep.state.epoch, training.epochs)
    if reason_to_stop(keep.state, training, max_minutes):
        return model

    with (
        lost_worker_named(several_workers(strategy)),
        memory_named(run, "a smaller --patch or --batch-size"),
    ):
        shown = [
            *callbacks,
            KeepSamples(run, scans.unlabelled),
            keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False),
        ]
        validation: dict[str, Any] = {}
        if held_out := scans.validation:
            validation["validation_data"] = distribute(
                strategy, lambda share: validation_patches(model, held_out, share).repeat()
            )
            # Keras cannot count the batches of several workers.
            validation["validation_steps"] = count_validation_batches(
                held_out, config.patch, VALIDATION_BATCH * strategy.num_replicas_in_sync
            )
        for epochs, adversarial in phases(model):
            first = keep.state.epoch
            if first >= epochs.stop or reason_to_stop(keep.state, training, max_minutes):
                continue
            patches = functools.partial(training_patches, model, scans, adversarial, first * training.steps_per_epoch)
            model.fit(
                distribute(strategy, patches),
                initial_epoch=first,
                epochs=epochs.stop,
                steps_per_epoch=training.steps_per_epoch,
                **validation,
                shuffle=False,
                verbose=0,
                callbacks=[
                    StopAtNonFinite(run),
                    EpochFacts(),
                    *(shown if is_chief(strategy) else []),
                    keep,
                    StopEarly(keep.state, max_minutes),
                ],
            )
            if model.stop_training:
                break
    return model
