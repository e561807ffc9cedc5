"""Reads a whole cohort, and says what it holds and what is wrong with it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from tf_msgan.datasets.check_scans import Seen, note_scan
from tf_msgan.datasets.choose_preparation import STRIPPED_SHARE
from tf_msgan.datasets.cohort import Cohort, encode_labels
from tf_msgan.datasets.label_table import warn_of_sides
from tf_msgan.datasets.splits import Split
from tf_msgan.datasets.subject_digests import digest_subject
from tf_msgan.errors import InputError
from tf_msgan.io.images import missing_modalities, read_images, reference_of
from tf_msgan.io.read_volumes import forms_apart, read_codes
from tf_msgan.io.volumes import Volume

# A subject stands out if a tissue of its is this many times as large, or as small, as the median.
UNLIKE_OTHERS = 2.5
# Voxels this many times as large, or as small, as the median ask for --resample.
VOXEL_VOLUME_RATIO = 2.0
# A label map with this share of its voxels where the scan is 0 is another scan's, or moved.
MOVED = 0.01
# A label map that leaves this share of a skull-stripped brain without a label calls tissue background.
BARE = 0.05
# A voxel with right angles fills at least this share of its sides' product.
RIGHT = 0.99


@dataclass(frozen=True)
class Problem:
    """`severity` is `error`, which training or prediction would refuse, or `warning`."""

    severity: str
    text: str


@dataclass
class SubjectFacts:
    """What is known of a subject; what could not be read is empty.

    Attributes:
        role: in the split, `held out`, or empty.
        shape, spacing_mm, orientation: of its first modality, orientation as `RAS`.
        ranges: `(lowest, highest)` intensity by modality.
        codes: of its label map.
        volumes_ml: of its tissues.
        sha256: of its files.
    """

    id: str
    role: str
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    orientation: str = ""
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    volumes_ml: dict[str, float] = field(default_factory=dict)
    sha256: str = ""
    problems: list[Problem] = field(default_factory=list)


def examine(cohort: Cohort, split: Split | None) -> Iterator[SubjectFacts]:
    """Reads one subject of the cohort after the other, labels included, whatever role it has."""
    roles = {subject_id: role for role, ids in split.roles().items() for subject_id in ids} if split else {}
    seen: Seen = {}
    for subject_id, subject in cohort.subjects.items():
        facts = SubjectFacts(subject_id, roles.get(subject_id, "held out" if subject.held_out else ""))
        try:
            _read(cohort, facts, seen)
        except (InputError, OSError) as error:
            facts.problems.append(Problem("error", str(error)))
        yield facts


def compare(cohort: Cohort, subjects: list[SubjectFacts]) -> list[Problem]:
    """Returns what is wrong with subjects beside the others, and with the whole cohort."""
    remarks = cohort.remarks() + warn_of_sides(cohort.labels.tissues)
    problems = [Problem("warning", remark) for remark in remarks]
    sizes = {facts.id: float(np.prod(facts.spacing_mm)) for facts in subjects if facts.spacing_mm}
    usual = np.median(list(sizes.values())) if sizes else 0
    for subject_id, size in sizes.items():
        if not usual / VOXEL_VOLUME_RATIO <= size <= usual * VOXEL_VOLUME_RATIO:
            found = f"voxels of {size:.3g} mm³, others have {usual:.3g}; --resample MM makes them alike"
            problems.append(Problem("warning", f"subject {subject_id}: {found}"))
    for tissue in cohort.labels.tissues:
        volumes = {facts.id: facts.volumes_ml[tissue] for facts in subjects if facts.volumes_ml.get(tissue)}
        usual = np.median(list(volumes.values())) if volumes else 0
        training = [facts for facts in subjects if facts.role == "train" and facts.volumes_ml]
        if training and not any(facts.volumes_ml[tissue] for facts in training):
            problems.append(
                Problem("error", f"no voxel of {tissue} in any training subject; expected every tissue in one")
            )
        for subject_id, volume in volumes.items():
            if not usual / UNLIKE_OTHERS <= volume <= usual * UNLIKE_OTHERS:
                text = f"subject {subject_id}: {volume:.1f} mL of {tissue}, others have {usual:.1f}"
                problems.append(Problem("warning", text))
    return problems


def _read(cohort: Cohort, facts: SubjectFacts, seen: Seen) -> None:
    subject = cohort.subjects[facts.id]
    missing = missing_modalities(cohort.modalities, subject.images)
    if missing:
        some = len(missing) < len(subject.images)
        text = f"subject {facts.id}: no {', '.join(missing)}" + "; training takes it with --drop-modality alone" * some
        # A subject without a role is in nobody's way.
        facts.problems.append(Problem("error" if facts.role else "warning", text))
    if len(missing) == len(subject.images):
        return
    volumes = read_images(subject.images)
    reference = reference_of(volumes)
    facts.shape, facts.spacing_mm = reference.data.shape, tuple(round(mm, 4) for mm in reference.spacing)
    facts.orientation = "".join(nib.aff2axcodes(reference.affine))
    for name, volume in zip(cohort.modalities, volumes, strict=True):
        if volume:
            facts.ranges[name] = (float(volume.data.min()), float(volume.data.max()))
            _check_forms(facts, volume)
    facts.sha256 = digest_subject(cohort, facts.id, with_labels=True)
    note_scan(seen, facts.id, volumes)
    if subject.label is None:
        return
    codes = read_codes(subject.label)
    facts.codes = np.unique(codes.data).tolist()
    labels = encode_labels(cohort, codes, volumes)
    for number, tissue in enumerate(cohort.labels.tissues, start=1):
        facts.volumes_ml[tissue] = float(np.count_nonzero(labels == number) * reference.voxel_ml)
        if not facts.volumes_ml[tissue]:
            facts.problems.append(Problem("warning", f"{subject.label}: no voxel of {tissue}"))
    _check_cover(facts, subject.label, labels > 0, scan=reference.data != 0, crop=cohort.crop)


def _check_cover(facts: SubjectFacts, path: Path, labelled: np.ndarray, scan: np.ndarray, crop: str | None) -> None:
    outside = np.count_nonzero(labelled & ~scan) / max(labelled.sum(), 1)
    if outside > MOVED:
        text = f"{path}: {outside:.1%} of its labelled voxels lie where the scan is 0: is it this scan's?"
        facts.problems.append(Problem("warning", text))
    bare = np.count_nonzero(scan & ~labelled) / np.count_nonzero(scan)
    stripped = crop == "brain" or (crop is None and 1 - bare >= STRIPPED_SHARE)
    if stripped and bare > BARE:
        text = f"{path}: {bare:.1%} of what is not 0 in the scan has no label, and will be called background"
        facts.problems.append(Problem("warning", text))


def _check_forms(facts: SubjectFacts, volume: Volume) -> None:
    apart = forms_apart(volume.path)
    if apart > max(volume.spacing):
        found = f"qform and sform lie {apart:.1f} mm apart" if math.isfinite(apart) else "the qform is not valid"
        facts.problems.append(Problem("warning", f"{volume.path}: {found}; the sform is used"))
    if 1000 * volume.voxel_ml < RIGHT * np.prod(volume.spacing):
        text = f"{volume.path}: axes that are not at right angles; distances in mm take them as if they were"
        facts.problems.append(Problem("warning", text))
