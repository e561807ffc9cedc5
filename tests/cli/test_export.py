"""`python -m tf_msgan.export`, on real files."""

import pytest

from tests.conftest import assert_one_line_error, run_command

pytestmark = pytest.mark.integration


def test_versions_count_up(unet_run, tmp_path, call):
    (tmp_path / "brain" / "notes").mkdir(parents=True)
    for version in ("1", "2"):
        result = call("tf_msgan.export", unet_run, "--name", "brain", "--output", tmp_path)
        assert result.returncode == 0, result.stderr
        assert str(tmp_path / "brain" / version) in result.stdout
    assert sorted(path.name for path in (tmp_path / "brain").iterdir()) == ["1", "2", "notes"]


def test_wrong_options(unet_run, tmp_path, call):
    def refused(run, name, *words, call=call):
        assert_one_line_error(call("tf_msgan.export", run, "--name", name, "--output", tmp_path / "x"), *words)
        assert not (tmp_path / "x").exists()

    refused(tmp_path, "brain", "model.keras", "no such file", call=run_command)
    refused(unet_run, "../brain", "--name", "../brain")
