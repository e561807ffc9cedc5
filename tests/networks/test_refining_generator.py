"""G3, beyond what it shares with the other networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_msgan.networks.refining_generator import build_refine_generator


def test_it_takes_every_encoder_level_at_every_decoder_level():
    network = build_refine_generator(2, 4, 4, skip_width=3)
    merges = [layer for layer in network.layers if isinstance(layer, keras.layers.Concatenate)]
    # One merge of the two inputs, four in the encoder, and four in the decoder of 5 tensors each:
    # the deconvolution, the level's own encoder block, and the three others.
    assert [len(layer.input) for layer in merges if len(layer.input) > 2] == [5] * 4
    assert sum(isinstance(layer, keras.layers.Conv3DTranspose) for layer in network.layers) == 4


@pytest.mark.parametrize("guides", [1, 3])
def test_it_uses_the_coarse_map(guides):
    """All of it, and near where it says something."""
    keras.utils.set_random_seed(0)
    network = build_refine_generator(2, 4, 4, guides=guides)
    x, none = tf.random.stateless_normal([1, 16, 16, 160, 2], [0, 1]), np.zeros((1, 16, 16, 160, guides), np.float32)
    without = network([x, tf.constant(none)]).numpy()
    for guide in range(guides):
        there = none.copy()
        there[:, 8, 8, 8, guide] = 1
        apart = np.abs(network([x, tf.constant(there)]).numpy() - without).max(axis=(0, 1, 2, 4))
        assert apart[:16].max() > 1e-4 and apart[:16].argmax() in range(5, 12)
        # Farther away than any voxel depends on.
        assert apart[100:].max() == 0
    assert np.abs(network([x, tf.constant(none + 1)]).numpy() - without).mean() > 1e-3


def test_without_guides_it_takes_images_alone():
    network = build_refine_generator(2, 4, 4, guides=0)
    assert [tuple(x.shape) for x in network.inputs] == [(None, None, None, None, 2)]
    out = network(tf.random.stateless_normal([1, 16, 16, 16, 2], [0, 1])).numpy()
    assert out.shape == (1, 16, 16, 16, 4) and np.allclose(out.sum(axis=-1), 1, atol=1e-5)
