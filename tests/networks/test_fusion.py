"""The outline and the tissues as one map."""

import numpy as np
import pytest

from tf_msgan.networks.fusion import fuse


def test_fusion_is_the_renormalised_product():
    refined = np.array([[0.4, 0.1, 0.2, 0.3]], np.float32)
    fused = np.array(fuse(np.array([[0.9]], np.float32), refined))
    product = np.array([0.1 * 0.4, 0.9 * 0.1, 0.9 * 0.2, 0.9 * 0.3])
    assert fused[0] == pytest.approx(product / product.sum(), rel=1e-4)
    assert np.array(fuse(np.array([[0.0]], np.float32), refined))[0] == pytest.approx([1, 0, 0, 0], abs=1e-4)
    # A voxel that both stages are sure of, and disagree on, still sums to 1.
    sure = np.array([[1.0, 0, 0, 0]], np.float32)
    assert np.array(fuse(np.array([[1.0]], np.float32), sure)).sum() == pytest.approx(1)
