"""What a coarse map says of the brain, and its product with a refined one."""

import tensorflow as tf
from keras import ops


def brain(coarse: tf.Tensor) -> tf.Tensor:
    """Returns P(brain) `(…, 1)` of a coarse map `(…, guides)`, which holds it, or that of each tissue, in 0..1."""
    return ops.sum(coarse, axis=-1, keepdims=True)


def fuse(coarse: tf.Tensor, refined: tf.Tensor) -> tf.Tensor:
    """Multiplies P₁ (background, brain) into P₃ over the classes, and renormalises.

    P(tissue k) ∝ P₁(brain) · P₃(k) and P(background) ∝ P₁(background) · P₃(background).

    Args:
        coarse: `(…, guides)` P₁(brain), or that of each tissue, at the refined map's resolution.
        refined: `(…, K)` P₃, class 0 the background.

    Returns:
        `(…, K)` probabilities that sum to 1.
    """
    inside = brain(coarse)
    gate = ops.concatenate([1 - inside] + [inside] * (refined.shape[-1] - 1), axis=-1)
    product = (gate + 1e-6) * refined
    return product / ops.sum(product, axis=-1, keepdims=True)
