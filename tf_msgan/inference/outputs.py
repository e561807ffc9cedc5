"""What a prediction leaves on disk, named after BIDS derivatives, or after nnU-Net for its own folders."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

import tf_msgan
from tf_msgan.datasets.cases import Case
from tf_msgan.datasets.layouts.bids import DESCRIPTION, is_described_as_ours
from tf_msgan.errors import InputError
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.atomic_files import write_json, write_text
from tf_msgan.io.digests import digest_voxels
from tf_msgan.io.read_volumes import read_codes
from tf_msgan.io.volumes import Volume
from tf_msgan.io.write_volumes import write_nifti


class Recorded(TypedDict):
    """What a sidecar says of its label map: the scan's files, what made it, its name, and its codes' digest, by which
    one that was corrected is known."""

    Sources: list[str]
    GeneratedBy: str
    File: str
    Codes: str


# Of a label map without a sidecar, or with one of another program.
UNKNOWN = Recorded(Sources=[], GeneratedBy="", File="", Codes="")


class TissueVolume(TypedDict):
    """How much there is of a tissue; in `expected_ml` a voxel counts by its probability."""

    tissue: str
    voxels: int
    volume_ml: float
    expected_ml: float


@dataclass(frozen=True)
class Outputs:
    """The files of predictions in the folder `root`.

    Attributes:
        naming: of `Cases`.
        tissues: names of the classes 1, 2, ….
        source: what made them, for the sidecars: a run and its model, or a server.
        with_entropy: whether maps of entropy are written.
    """

    root: Path
    naming: str
    tissues: tuple[str, ...]
    source: str
    with_entropy: bool = False

    def path(self, case: Case, kind: str) -> Path:
        """Returns the path of the case's file of `kind` `dseg.nii.gz`, `dseg.json`, `probseg.nii.gz`, `probseg.json`,
        `volumes.tsv`, `entropy.nii.gz`, `preal.nii.gz` or `figure.png`."""
        name = f"{case.id}_{kind}"
        if self.naming == "nnunet" and kind == "dseg.nii.gz":
            name = f"{case.id}.nii.gz"
        return self.root / case.folder / name

    def thumbnail(self, case: Case) -> Path:
        """Returns the path of the picture of the case for the quality page."""
        return self.root / "qc" / case.folder / f"{case.id}.png"

    def holds(self, case: Case) -> bool:
        """Returns whether the case's label map is there, made from the same files by the same source, whoever
        corrected it since."""
        made, labels = self._recorded(case), self.path(case, "dseg.nii.gz")
        if (made["GeneratedBy"], made["File"]) != (self.source, labels.name) or not labels.is_file():
            return False
        try:
            return made["Sources"] == _absolute(case.existing())
        except InputError:
            # Segmenting it again will say why.
            return False

    def check_free(self, case: Case) -> None:
        """Refuses to replace another label map, called as the case's would be: of another maker, corrected by hand, or
        of another scan. A scan that has got a modality since, or is shown to a model of fewer, is the same.

        Raises:
            InputError: there is one.
        """
        made, labels, sidecar = self._recorded(case), self.path(case, "dseg.nii.gz"), self.path(case, "dseg.json")
        if labels.exists() and digest_voxels(read_codes(labels).data) != made["Codes"]:
            raise InputError(labels, "a label map that is not as this command wrote it", "another --output")
        if sidecar.exists() and made == UNKNOWN:
            raise InputError(sidecar, "a sidecar that is not of this command", "another --output")
        before, now = set(made["Sources"]), set(_absolute(case.existing()))
        # What did not come from files may be any scan.
        unknown = made != UNKNOWN and bool(before) != bool(now)
        if unknown or not (before <= now or now <= before):
            found = f"the segmentation of {', '.join(made['Sources']) or 'images without files'}"
            raise InputError(sidecar, found, "another --output")

    def _recorded(self, case: Case) -> Recorded:
        """Returns what the sidecar says of what is called as the case's label map would be; `UNKNOWN` without one that
        says it."""
        try:
            content = json.loads(self.path(case, "dseg.json").read_text(encoding="utf-8"))
            return Recorded(
                Sources=_absolute(content["Sources"]),
                GeneratedBy=content["GeneratedBy"],
                File=content["File"],
                Codes=content["Codes"],
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return UNKNOWN

    def begin(self) -> None:
        """Writes what is said of all cases: the names of the labels and, for BIDS, of the data set.

        Raises:
            InputError: something else is said there already, and would be of other label maps.
        """
        rows = ["index\tname", "0\tbackground", *(f"{n}\t{name}" for n, name in enumerate(self.tissues, start=1))]
        table, names = self.root / "dseg.tsv", "\n".join(rows) + "\n"
        if table.exists() and table.read_bytes() != names.encode():
            raise InputError(table, "other labels", f"{', '.join(self.tissues)}, or another --output")
        described = self.root / DESCRIPTION
        if self.naming == "bids" and described.exists() and not is_described_as_ours(self.root):
            raise InputError(described, "another data set", "another --output, as derivatives/tf_msgan")
        write_text(table, names)
        if self.naming == "bids":
            generated = {"Name": "tf_msgan", "Version": tf_msgan.__version__, "Description": self.source}
            description = {
                "Name": "tf_msgan tissue segmentation",
                "BIDSVersion": "1.9.0",
                "DatasetType": "derivative",
                "GeneratedBy": [generated],
            }
            write_json(described, description)

    def write(self, case: Case, reference: Volume, result: TissueMaps) -> None:
        """Writes all files of a case, on the grid of `reference`, the first modality; the label map last. Those of an
        earlier call go first: half of each would pass for one."""
        # `realness` is what an earlier version called maps of P(real).
        for kind in ("dseg.nii.gz", "entropy.nii.gz", "preal.nii.gz", "realness.nii.gz", "figure.png"):
            self.path(case, kind).unlink(missing_ok=True)
        self.thumbnail(case).unlink(missing_ok=True)
        entropy = normalised_entropy(result.probabilities)
        brain = result.labels > 0
        facts = {
            "Sources": _absolute(case.existing()),
            "SpatialReference": str(reference.path),
            "GeneratedBy": self.source,
            "Version": tf_msgan.__version__,
            "OutlineFailed": result.outline_failed,
            "MeanEntropy": float(entropy[brain].mean()) if brain.any() else 0.0,
        }
        write_nifti(self.path(case, "probseg.nii.gz"), result.probabilities[..., 1:], reference)
        write_json(self.path(case, "probseg.json"), {**facts, "LabelMap": list(self.tissues)})
        if self.with_entropy:
            write_nifti(self.path(case, "entropy.nii.gz"), entropy, reference)
        if result.p_real is not None:
            write_nifti(self.path(case, "preal.nii.gz"), result.p_real, reference)
        write_text(self.path(case, "volumes.tsv"), _table(tissue_volumes(result, reference.voxel_ml, self.tissues)))
        labels = self.path(case, "dseg.nii.gz")
        codes = digest_voxels(result.labels.astype(np.int32))
        write_json(self.path(case, "dseg.json"), {**facts, "File": labels.name, "Codes": codes})
        write_nifti(labels, result.labels, reference)


def _absolute(paths: Iterable[str | Path | None]) -> list[str]:
    """Returns the absolute paths of those that are there."""
    return [str(Path(path).absolute()) for path in paths if path]


def normalised_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Returns the entropy `(i, j, k)` float32 of `(i, j, k, K)` probabilities: 0 for a sure class, 1 for equal ones."""
    log = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    entropy = -(probabilities * log).sum(axis=-1) / np.log(probabilities.shape[-1])
    return np.clip(entropy, 0, 1).astype(np.float32)


def tissue_volumes(result: TissueMaps, voxel_ml: float, tissues: Sequence[str]) -> list[TissueVolume]:
    """Returns how much there is of each tissue."""
    rows = []
    for number, name in enumerate(tissues, start=1):
        voxels = int(np.count_nonzero(result.labels == number))
        expected = float(result.probabilities[..., number].sum(dtype=np.float64)) * voxel_ml
        volume = TissueVolume(
            tissue=name,
            voxels=voxels,
            volume_ml=round(voxels * voxel_ml, 4),
            expected_ml=round(expected, 4),
        )
        rows.append(volume)
    return rows


def _table(rows: list[TissueVolume]) -> str:
    """Returns the rows as a table, columns parted by tabs."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
