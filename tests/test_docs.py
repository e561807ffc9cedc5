"""Pages that say what the code has."""

import importlib.util
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def writer(monkeypatch):
    """The script that writes them."""
    monkeypatch.setenv("COLUMNS", "80")
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / "docs/write_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Python 3.11 writes the page")
def test_the_reference_is_what_the_code_says(writer):
    assert writer.reference() == (ROOT / "docs/reference.md").read_text(encoding="utf-8"), "run `make reference`"


def test_equations_lead_to_their_lines(writer):
    page = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
    assert writer.linked(page) == page, "run `make reference`"
    losses = (ROOT / "tf_msgan/models/losses.py").read_text(encoding="utf-8").splitlines()
    line = losses.index("def labelled_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:") + 1
    assert f"[`labelled_loss`](../tf_msgan/models/losses.py#L{line})" in page
    with pytest.raises(ValueError, match="does not define nothing"):
        writer.linked("[`nothing`](../tf_msgan/models/losses.py#L1)")
