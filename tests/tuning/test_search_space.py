"""What a search draws."""

import keras_tuner
import numpy as np
import pytest

from tf_msgan.config import MODELS, PRESETS
from tuning.search_space import IDLE, SPACE, draw_values


@pytest.mark.parametrize("model", MODELS)
def test_drawn_values_are_what_a_config_may_be(model):
    assert set(IDLE[model]) < set(SPACE)
    hp = keras_tuner.HyperParameters()
    draw_values(hp, model)
    rng = np.random.default_rng(0)
    for _ in range(20):
        hp.values = {space.name: space.random_sample(int(rng.integers(1000))) for space in hp.space}
        values = draw_values(hp, model)
        config = PRESETS["best"].with_fields([f"{field}={value}" for field, value in values.items()])
        assert config.training.lr == values["training.lr"]
        # Workers get them in single precision.
        hp.values = {name: float(np.float32(v)) if isinstance(v, float) else v for name, v in hp.values.items()}
        assert draw_values(hp, model) == values
