"""The product of coarse and refined maps."""

from keras import ops


def fuse(coarse, refined):
    """Multiplies P₁ (background, brain) into P₃ over the classes, and renormalises.

    P(tissue k) ∝ P₁(brain) · P₃(k) and P(background) ∝ P₁(background) · P₃(background).

    Args:
        coarse: `(…, 1)` P₁(brain), 0..1, at the refined map's resolution.
        refined: `(…, K)` P₃, class 0 the background.

    Returns:
        `(…, K)` probabilities that sum to 1.
    """
    gate = ops.concatenate([1 - coarse] + [coarse] * (refined.shape[-1] - 1), axis=-1)
    product = (gate + 1e-6) * refined
    return product / ops.sum(product, axis=-1, keepdims=True)
