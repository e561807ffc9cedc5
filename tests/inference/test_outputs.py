"""What is written of a case, and what is not replaced."""

import dataclasses
import errno

import numpy as np
import pytest

from tests.conftest import write_case
from tf_msgan.datasets.cases import Case
from tf_msgan.errors import InputError
from tf_msgan.evaluation.quality import is_done
from tf_msgan.inference.outputs import Outputs, normalised_entropy, tissue_volumes
from tf_msgan.inference.tissue_maps import TissueMaps
from tf_msgan.io.read_volumes import read_image
from tf_msgan.io.write_volumes import write_nifti


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_corrected_label_map_stays(tmp_path):
    """It is done, for the model whose map was corrected, and not replaced by any."""
    (path,) = write_case(tmp_path, ["ann_T1.nii.gz"])
    case, reference = Case("ann", (path,)), read_image(path)
    result = nothing_found(reference)
    first, second = (outputs(tmp_path / "out", source=name) for name in ("the run a", "the run b"))
    first.write(case, reference, result)
    # As it was written, another model's takes its place.
    second.check_free(case)
    corrected = result.labels.copy()
    corrected[3, 4, 5] = 2
    write_nifti(first.path(case, "dseg.nii.gz"), corrected, reference)
    assert first.holds(case) and not second.holds(case)
    for each in (first, second):
        with pytest.raises(InputError, match=r"ann_dseg\.nii\.gz: found a label map that is not as this command wrote"):
            each.check_free(case)


def test_a_scan_that_got_a_modality_is_the_same(tmp_path):
    paths = write_case(tmp_path, ["ann_T1.nii.gz", "ann_T2.nii.gz"])
    reference = read_image(paths[0])
    result = nothing_found(reference)
    one, both, other = (Case("ann", tuple(files)) for files in (paths[:1], paths, paths[1:]))
    out = outputs(tmp_path / "out")
    for earlier, later in ((both, one), (one, both)):
        out.write(earlier, reference, result)
        out.check_free(later)
        assert out.holds(earlier) and not out.holds(later)
    with pytest.raises(InputError, match=r"found the segmentation of .*ann_T1"):
        out.check_free(other)


def test_a_sidecar_of_another_maker_stays(tmp_path):
    (path,) = write_case(tmp_path, ["ann_T1.nii.gz"])
    out = outputs(tmp_path / "out")
    for content in ("{}", "[]", "no JSON"):
        out.path(Case("ann", (path,)), "dseg.json").write_text(content)
        with pytest.raises(InputError, match=r"ann_dseg\.json: found a sidecar that is not of this command"):
            out.check_free(Case("ann", (path,)))


def nothing_found(reference):
    """A segmentation without any tissue, where every class is as likely."""
    labels = np.zeros(reference.data.shape, np.uint8)
    return TissueMaps(labels, np.full((*labels.shape, 4), 0.25, np.float32), None, None, False)


def outputs(root, naming="plain", tissues=("CSF", "GM", "WM"), source="the run a"):
    root.mkdir(exist_ok=True)
    return Outputs(root, naming, tissues, source)


def test_what_is_said_of_all_cases_is_not_replaced(tmp_path):
    out = tmp_path / "out"
    outputs(out, "bids").begin()
    outputs(out, "bids", source="the run b").begin()
    before = (out / "dseg.tsv").read_bytes()
    with pytest.raises(InputError, match=r"dseg\.tsv: found other labels; expected lesion, or another --output"):
        outputs(out, "bids", ("lesion",)).begin()
    assert (out / "dseg.tsv").read_bytes() == before
    described = tmp_path / "set" / "dataset_description.json"
    described.parent.mkdir()
    described.write_text('{"Name": "mine"}')
    with pytest.raises(InputError, match="found another data set; expected another --output"):
        outputs(described.parent, "bids").begin()
    assert [path.name for path in described.parent.iterdir()] == [described.name]
    assert described.read_text() == '{"Name": "mine"}'


def test_half_a_replacement_passes_for_no_segmentation(tmp_path, monkeypatch):
    """The disk is full just before the label map, where an earlier model's lies."""
    (path,) = write_case(tmp_path, ["ann_T1.nii.gz"])
    case, reference = Case("ann", (path,)), read_image(path)
    result = nothing_found(reference)
    first, second = (outputs(tmp_path / "out", source=name) for name in ("the run a", "the run b"))
    for kind in ("entropy.nii.gz", "preal.nii.gz", "figure.png"):
        first.path(case, kind).touch()
    first.write(case, reference, result)
    assert names(tmp_path / "out") == [f"ann_{k}" for k in ("dseg.json", "dseg.nii.gz", "probseg.json")] + [
        *("ann_probseg.nii.gz", "ann_volumes.tsv")
    ]
    first.thumbnail(case).parent.mkdir()
    first.thumbnail(case).touch()
    assert is_done(case, first)

    def full(path, data, reference):
        if "dseg" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_nifti(path, data, reference)

    monkeypatch.setattr("tf_msgan.inference.outputs.write_nifti", full)
    with pytest.raises(OSError, match="No space"):
        second.write(case, reference, dataclasses.replace(result, labels=result.labels + 1))
    assert not is_done(case, second) and not is_done(case, first)
    # And is not refused when tried again.
    second.check_free(case)


def test_entropy_and_volumes_by_hand():
    probabilities = np.array([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]], np.float32).reshape(3, 1, 1, 4)
    assert normalised_entropy(probabilities).ravel() == pytest.approx([0, 1, 0.5], abs=1e-6)
    result = TissueMaps(np.array([0, 1, 1], np.uint8).reshape(3, 1, 1), probabilities, None, None, False)
    csf, gm, _ = tissue_volumes(result, 0.02, ("CSF", "GM", "WM"))
    assert csf == {"tissue": "CSF", "voxels": 2, "volume_ml": 0.04, "expected_ml": 0.015}
    assert gm == {"tissue": "GM", "voxels": 0, "volume_ml": 0.0, "expected_ml": 0.005}
