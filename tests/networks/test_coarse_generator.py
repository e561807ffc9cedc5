"""G1, beyond what it shares with the other networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.networks.coarse_generator import build_coarse_generator


@pytest.mark.parametrize("margin", [(8, 8, 8), (1, 2, 3), (4, 5, 6), (7, 12, 16)])
def test_it_draws_the_middle_of_what_it_is_shown(margin):
    """As if it had drawn all, and its margin been cut off."""
    keras.utils.set_random_seed(0)
    whole, middle = (build_coarse_generator(2, 4, 4, ends) for ends in ((0, 0, 0), margin))
    middle.set_weights(whole.get_weights())
    x = tf.random.stateless_normal([2, 40, 42, 47, 2], [0, 1])
    i, j, k = (slice(n, size - n) for n, size in zip(margin, x.shape[1:4], strict=True))
    assert np.allclose(middle(x), whole(x)[:, i, j, k], atol=1e-5)
