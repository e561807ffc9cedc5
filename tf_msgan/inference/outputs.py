"""What a prediction leaves on disk, named after BIDS derivatives, or after nnU-Net for its own folders."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tf_msgan.data.cases import Case
from tf_msgan.data.volumes import Volume, write_nifti
from tf_msgan.errors import InputError
from tf_msgan.files import write_json, write_text
from tf_msgan.inference.segmenter import Segmentation


@dataclass(frozen=True)
class Outputs:
    """The files of predictions in the folder `root`.

    Attributes:
        naming: of `Cases`.
        tissues: names of the classes 1, 2, ….
        source: what made them, for the sidecars: a run, or a server.
        with_entropy: whether maps of entropy are written.
    """

    root: Path
    naming: str
    tissues: tuple[str, ...]
    source: str
    with_entropy: bool = False

    def path(self, case: Case, kind: str) -> Path:
        """Of `kind` `dseg.nii.gz`, `dseg.json`, `probseg.nii.gz`, `probseg.json`, `volumes.tsv`, `entropy.nii.gz`,
        `realness.nii.gz` or `figure.png`."""
        name = f"{case.id}_{kind}"
        if self.naming == "nnunet" and kind == "dseg.nii.gz":
            name = f"{case.id}.nii.gz"
        return self.root / case.folder / name

    def holds(self, case: Case) -> bool:
        """Whether the case's label map is there, made from the same files by the same source."""
        made = self._recorded(case)
        there = made is not None and self.path(case, "dseg.nii.gz").is_file()
        return there and made["GeneratedBy"] == self.source and made["Sources"] == _absolute(case.existing())

    def check_free(self, case: Case):
        """Refuses to replace the segmentation of another scan, called as the case's would be.

        Raises:
            InputError: there is one.
        """
        made = self._recorded(case)
        if made is not None and made["Sources"] != _absolute(case.existing()):
            found = f"the segmentation of {', '.join(made['Sources']) or 'unknown files'}"
            raise InputError(self.path(case, "dseg.json"), found, "another --output")

    def _recorded(self, case):
        """The sidecar of what is called as the case's label map would be, or None."""
        sidecar = self.path(case, "dseg.json")
        if not sidecar.exists():
            return None
        try:
            content = json.loads(sidecar.read_text(encoding="utf-8"))
            return {"Sources": _absolute(content["Sources"]), "GeneratedBy": content["GeneratedBy"]}
        except (ValueError, KeyError, TypeError):
            return {"Sources": [], "GeneratedBy": ""}

    def begin(self):
        """Writes what is said of all cases: the names of the labels and, for BIDS, of the data set."""
        rows = ["index\tname", "0\tbackground", *(f"{n}\t{name}" for n, name in enumerate(self.tissues, start=1))]
        write_text(self.root / "dseg.tsv", "\n".join(rows) + "\n")
        if self.naming == "bids":
            description = {"Name": "tf_msgan tissue segmentation", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
            generated = [{"Name": "tf_msgan", "Description": self.source}]
            write_json(self.root / "dataset_description.json", {**description, "GeneratedBy": generated})

    def write(self, case: Case, reference: Volume, result: Segmentation):
        """Writes all files of a case, on the grid of `reference`, the first modality; the label map last."""
        entropy = normalised_entropy(result.probabilities)
        brain = result.labels > 0
        facts = {
            "Sources": _absolute(case.existing()),
            "SpatialReference": str(reference.path),
            "GeneratedBy": self.source,
            "OutlineFailed": result.outline_failed,
            "MeanEntropy": float(entropy[brain].mean()) if brain.any() else 0.0,
        }
        write_nifti(self.path(case, "probseg.nii.gz"), result.probabilities[..., 1:], reference)
        write_json(self.path(case, "probseg.json"), {**facts, "LabelMap": list(self.tissues)})
        if self.with_entropy:
            write_nifti(self.path(case, "entropy.nii.gz"), entropy, reference)
        if result.realness is not None:
            write_nifti(self.path(case, "realness.nii.gz"), result.realness, reference)
        write_text(self.path(case, "volumes.tsv"), _table(tissue_volumes(result, reference.spacing, self.tissues)))
        write_json(self.path(case, "dseg.json"), facts)
        write_nifti(self.path(case, "dseg.nii.gz"), result.labels, reference)


def _absolute(paths):
    return [str(Path(path).absolute()) for path in paths if path]


def normalised_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of `(i, j, k, K)` probabilities, `(i, j, k)` float32: 0 for a sure class, 1 for equal ones."""
    log = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    entropy = -(probabilities * log).sum(axis=-1) / np.log(probabilities.shape[-1])
    return np.clip(entropy, 0, 1).astype(np.float32)


def tissue_volumes(result: Segmentation, spacing, tissues) -> list[dict]:
    """A row a tissue: its `voxels`, their `volume_ml`, and `expected_ml`, where a voxel counts by its probability."""
    voxel_ml = float(np.prod(spacing)) / 1000
    rows = []
    for number, name in enumerate(tissues, start=1):
        voxels = int(np.count_nonzero(result.labels == number))
        expected = float(result.probabilities[..., number].sum(dtype=np.float64)) * voxel_ml
        volume = {"volume_ml": round(voxels * voxel_ml, 4), "expected_ml": round(expected, 4)}
        rows.append({"tissue": name, "voxels": voxels, **volume})
    return rows


def _table(rows):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
