"""As many epochs as there are minutes for."""

from tf_msgan.config import Config
from tuning.step_seconds import epochs_within


def test_equal_minutes():
    config = Config().with_training(steps_per_epoch=100, labels_first=0.8)
    plain, both = ({"labels": 0.5, "game": seconds, "validation": 10.0} for seconds in (0.0, 2.0))
    assert epochs_within(10, config, plain) == 10
    assert epochs_within(0.1, config, plain) == 1
    # Five epochs, the last of them adversarial: 4 × 60 + 210 s; a sixth would be one of labels more.
    assert epochs_within(450 / 60, config, both) == 5
    assert epochs_within(449 / 60, config, both) == 4
    assert epochs_within(510 / 60, config, both) == 6
