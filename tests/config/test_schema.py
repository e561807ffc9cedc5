"""Files of earlier versions are read, and those of later ones refused."""

import hashlib
import json

import pytest

from tf_msgan.config import SCHEMA, Config, read_schema
from tf_msgan.errors import InputError
from tf_msgan.runs.run_record import read_run_record, recorded_config


@pytest.mark.parametrize("schema", [-1, "1", None, 1.0, True])
def test_a_schema_is_a_number(schema):
    with pytest.raises(InputError, match=r"a\.json: found schema"):
        read_schema({"schema": schema}, "a.json")


def test_a_field_that_came_later_has_its_default(old_run, tiny_config):
    values = tiny_config.to_dict()
    del values["loss"]["perturbation"], values["augmentation"]["gamma"]
    config = Config.from_dict(values)
    assert config.loss.perturbation == 1.0 and config.augmentation.gamma == 0.2
    assert config.network == tiny_config.network
    # Before there were schemas, a field that was missing meant other networks.
    recorded = read_run_record(old_run)
    del recorded.config["network"]["fused"]
    with pytest.raises(InputError, match=r"config\.json: found network without fused"):
        recorded_config(recorded, old_run)


def test_an_unknown_field_is_refused(tiny_config):
    values = tiny_config.to_dict()
    values["loss"]["beauty"] = 1.0
    with pytest.raises(TypeError, match="beauty"):
        Config.from_dict(values)


def test_a_new_field_raises_the_schema():
    """Else earlier versions would call what this one writes damaged. After a change of fields raise `SCHEMA`, unless
    that was done since the last release, and note the digest."""
    parts = {name: sorted(part) for name, part in Config().to_dict().items() if isinstance(part, dict)}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    assert {SCHEMA: digest} == {1: "33d687eec19d"}
