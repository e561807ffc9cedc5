"""How a volume is timed."""

import numpy as np

from benchmarks.timing import seconds_of_volume


def test_a_volume_is_timed_after_a_warm_up_on_its_middle():
    seen = []
    seconds, labels = seconds_of_volume(
        lambda image: seen.append(image) or image.sum(), np.arange(6**3).reshape(6, 6, 6)
    )
    assert seconds > 0 and labels == sum(range(6**3))
    assert [image.shape for image in seen] == [(2, 2, 2), (6, 6, 6)] and seen[0][0, 0, 0] == 2 * 36 + 2 * 6 + 2
