"""Cases that fail do not stop the others."""

import pytest
import tensorflow as tf

from tests.conftest import write_case
from tf_msgan.config import STRIPPED
from tf_msgan.datasets.cases import case_of_files
from tf_msgan.inference.outputs import Outputs
from tf_msgan.inference.predict_cases import predict_cases
from tf_msgan.inference.predictor import Predictor, load


def outputs(root, naming="plain", tissues=("CSF", "GM", "WM"), source="the run a"):
    root.mkdir(exist_ok=True)
    return Outputs(root, naming, tissues, source)


def test_a_case_without_memory_does_not_stop_the_others(tmp_path):
    files = [write_case(tmp_path, [f"{name}_T1.nii.gz", f"{name}_T2.nii.gz"]) for name in ("ann", "bob")]
    cases = [case_of_files(pair, ["T1", "T2"]) for pair in files]
    errors = [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore")]

    class Failing:
        tissues, preparation, takes_missing_modality = ("CSF", "GM", "WM"), STRIPPED, False

        def __call__(self, image):
            raise errors.pop(0)

    predictor = Predictor(Failing(), ("T1", "T2"))
    found = [str(p.error) for p in predict_cases(cases, predictor, outputs(tmp_path / "out"))]
    assert found == [
        "ann: found no memory left (all is taken); expected a smaller scan, or more memory",
        "bob: found no memory left (OOM when allocating); expected a smaller scan, or more memory",
    ]


@pytest.mark.integration
def test_memory_may_lack_where_a_case_is_written(unet_run, tmp_path, monkeypatch):
    cases = [
        case_of_files(write_case(tmp_path, [f"{subject_id}_T1.nii.gz", f"{subject_id}_T2.nii.gz"]), ["T1", "T2"])
        for subject_id in "ab"
    ]
    write = Outputs.write

    def short_of_memory(self, case, *arguments):
        if case.id == "a":
            raise MemoryError
        write(self, case, *arguments)

    monkeypatch.setattr(Outputs, "write", short_of_memory)
    found = predict_cases(cases, load(unet_run), outputs(tmp_path / "out"))
    first, second = (str(prediction.error) for prediction in found)
    assert first == "a: found no memory left (all is taken); expected a smaller scan, or more memory"
    assert second == "None" and (tmp_path / "out" / "b_dseg.nii.gz").is_file()
