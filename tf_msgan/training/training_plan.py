"""What a run would do, for `--dry-run`."""

import itertools
import math
from collections.abc import Iterable

import keras
import tensorflow as tf

from tf_msgan.config import Config
from tf_msgan.datasets.cohort import Cohort
from tf_msgan.datasets.label_table import warn_of_sides
from tf_msgan.datasets.splits import Split
from tf_msgan.io.read_volumes import read_grid
from tf_msgan.io.volumes import Shape
from tf_msgan.models.make_model import make_model
from tf_msgan.models.segmentation_model import SegmentationModel
from tf_msgan.preprocessing.geometry import NetworkGrid
from tf_msgan.training.train_run import whose_scans

MIB = 2**20


def describe_plan(cohort: Cohort, split: Split, config: Config, in_memory: bool) -> str:
    """Returns the plan as text: subjects by role, networks with shapes and parameters, steps, estimated memory.

    Reads headers only. `in_memory` says whether the scans are held there.
    """
    training = config.training
    model = make_model(cohort.modalities, cohort.labels.tissues, config)
    preparation = config.preparation
    lines = [f"cohort      {cohort.layout} layout in {cohort.root}, {', '.join(cohort.modalities)}"]
    lines.append(f"tissues     {', '.join(cohort.labels.tissues)}")
    for role, ids in split.roles().items():
        lines.append(f"{role:<12}{len(ids):>3}  {', '.join(ids)}")
    if config.has_adversarial_phase and not split.unlabeled:
        lines.append("            the training subjects stand in for unlabelled ones")
    if not split.validation:
        lines.append("            without validation the last epoch's model is kept")
    if len(split.train) == 1 and split.test:
        lines.append(
            "            one subject trains; with --split all every labelled one does, and none is for the test"
        )
    taken = {subject_id for ids in split.roles().values() for subject_id in ids}
    lack = [
        subject_id
        for subject_id, subject in cohort.subjects.items()
        if subject_id not in taken and None in subject.images
    ]
    if lack and not config.augmentation.may_lack_modality:
        lines.append(f"            left out for want of a modality: {len(lack)}, such as {lack[0]} (--drop-modality)")
    remarks = cohort.remarks() + (warn_of_sides(cohort.labels.tissues) if config.augmentation.mirror else [])
    lines += [f"            {remark}" for remark in remarks]
    spacing = " × ".join(f"{mm:g}" for mm in preparation.spacing)
    bias = ", bias field corrected by N4" if preparation.n4 else ""
    grid = f"resampled to {preparation.resample:g} mm" if preparation.resample else f"of {spacing} mm, as they come"
    lines.append(f"scans       {grid}; {preparation.crop}, {preparation.normalise}{bias}")
    steps = training.steps
    labelled, unlabelled = training.batch_sizes
    patches = f"{labelled} labelled" + f" and {unlabelled} unlabelled" * config.has_adversarial_phase
    lines.append(f"patches     {'×'.join(map(str, config.patch))} voxels, {patches} a step")
    lines.append(f"steps       {training.epochs} epochs × {training.steps_per_epoch} = {steps}")
    if config.has_adversarial_phase and training.labelled_epochs:
        lines[-1] += f", the first {training.labelled_epochs} epochs from labels alone"
    lines.append("")
    lines.append(f"{'network':<16}{'takes':<40}{'gives':<40}{'parameters':>12}")
    for name, network in model.networks().items():
        takes, gives = (_shapes(tensors) for tensors in (network.inputs, network.outputs))
        lines.append(f"{name:<16}{takes:<40}{gives:<40}{network.count_params():>12,}")
    lines.append(f"{'all':<96}{sum(n.count_params() for n in model.networks().values()):>12,}")
    lines.append("")
    parts = {name: size / MIB for name, size in estimate_memory(model, cohort, split, in_memory).items()}
    lines.append(f"memory      about {sum(parts.values()):,.0f} MiB beyond TensorFlow itself:")
    lines.append("            " + ", ".join(f"{name} {size:,.0f}" for name, size in parts.items()))
    return "\n".join(lines)


def estimate_memory(model: SegmentationModel, cohort: Cohort, split: Split, in_memory: bool) -> dict[str, int]:
    """Returns the bytes of the scans held, of weights with their gradients and optimiser slots, and of a step's
    activations."""
    held = itertools.chain(*whose_scans(split, model.config).values()) if in_memory else []
    files = [cohort.subjects[subject_id].reference() for subject_id in held]
    resample = model.config.preparation.resample
    voxels = sum(math.prod(NetworkGrid(*read_grid(path), resample).shape) for path in files)
    scans = voxels * (4 * (len(cohort.modalities) + 1) + 4)
    networks = sum(network.count_params() for network in model.networks().values()) * 4 * 4

    activations = sum(
        model.patches_seen(name) * _activations(network, model.config.patch)
        for name, network in model.networks().items()
    )
    return {"scans": scans, "weights and optimisers": networks, "activations": activations}


def _activations(network: keras.Model, patch: Shape) -> int:
    """Bytes of all that the graph of one patch computes."""
    specs = [tf.TensorSpec((1, *(patch if len(t.shape) == 5 else ()), t.shape[-1])) for t in network.inputs]
    graph = tf.function(network).get_concrete_function(specs if len(specs) > 1 else specs[0]).graph
    tensors = [t for operation in graph.get_operations() for t in operation.outputs]
    return sum(t.shape.num_elements() * t.dtype.size for t in tensors if t.shape.rank == 5 and t.shape[0] == 1)


def _shapes(tensors: Iterable[tf.Tensor]) -> str:
    return ", ".join("(" + ", ".join("·" if n is None else str(n) for n in t.shape) + ")" for t in tensors)
