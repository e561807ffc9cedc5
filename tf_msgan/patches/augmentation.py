"""Random changes to a labelled patch and its context, in the tf.data graph and keyed on a stateless seed.

A block of `(i, j, k, modality + 1)` goes in: the image times the brain mask, and the mask. Patch and context are cut
from it by one affine map, so that they show the same changed brain. Intensities are changed with the modalities first,
`(modality, i, j, k)`: TensorFlow is slow where the last axis is short.
"""

import itertools
import math

import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.io.volumes import Shape
from tf_msgan.preprocessing.reserved_values import BACKGROUND

# Voxels' places in a flattened volume with their weights, `(n,)` each.
Around = list[tuple[tf.Tensor, tf.Tensor]]


def random_affine(augmentation: Augmentation, spacing: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws the `(3, 3)` map from patch offsets to block offsets, in voxels of `spacing` `(3,)` mm: what is turned is
    the brain, whatever the voxels' shape."""
    angle, scale, chance = tf.split(tf.random.stateless_uniform([8], seed, -1.0, 1.0), [3, 3, 2])
    a, b, c = tf.unstack(angle * (augmentation.rotation_degrees * math.pi / 180))
    one, zero = tf.ones([]), tf.zeros([])
    x = tf.stack([[one, zero, zero], [zero, tf.cos(a), -tf.sin(a)], [zero, tf.sin(a), tf.cos(a)]])
    y = tf.stack([[tf.cos(b), zero, tf.sin(b)], [zero, one, zero], [-tf.sin(b), zero, tf.cos(b)]])
    z = tf.stack([[tf.cos(c), -tf.sin(c), zero], [tf.sin(c), tf.cos(c), zero], [zero, zero, one]])
    warped = (chance[0] + 1) / 2 < augmentation.warp_share
    matrix = tf.where(warped, x @ y @ z @ tf.linalg.diag(1 + augmentation.scale * scale), tf.eye(3))
    flip = tf.where((chance[1] + 1) / 2 < augmentation.mirror, -1.0, 1.0)
    return matrix * tf.stack([flip, 1.0, 1.0]) * spacing[None] / spacing[:, None]


def offsets(shape: Shape) -> tf.Tensor:
    """Returns the `(voxels, 3)` float32 offsets of a patch's voxels from its centre."""
    axes = [tf.range(size, dtype=tf.float32) - (size - 1) / 2 for size in shape]
    return tf.reshape(tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1), [-1, 3])


def neighbours(shape: tf.Tensor, points: tf.Tensor) -> Around:
    """Returns the eight voxels around each of `(n, 3)` voxel coordinates, edges repeated, in a volume of `shape`
    `(3,)`, 2 voxels a side or more: pairs of their places in the flattened volume and their trilinear weights, `(n,)`
    each."""
    last = shape - 1
    points = tf.clip_by_value(points, 0.0, tf.cast(last, tf.float32))
    # The lower neighbour along every axis; at the last voxel the one before it, whose weight is then 0.
    low = tf.clip_by_value(tf.cast(points, tf.int32), 0, last - 1)
    upper = points - tf.cast(low, tf.float32)
    weights = [1 - upper, upper]
    strides = [(last[1] + 1) * (last[2] + 1), last[2] + 1]
    first = low[:, 0] * strides[0] + low[:, 1] * strides[1] + low[:, 2]
    return [
        (first + (i * strides[0] + j * strides[1] + k), weights[i][:, 0] * weights[j][:, 1] * weights[k][:, 2])
        for i, j, k in itertools.product((0, 1), repeat=3)
    ]


def sample_linear(volume: tf.Tensor, around: Around) -> tf.Tensor:
    """Returns trilinear samples `(n, channel)` of `(i, j, k, channel)` from its `neighbours`."""
    flat = tf.reshape(volume, [-1, volume.shape[-1]])
    return tf.add_n([weight[:, None] * tf.gather(flat, at) for at, weight in around])


def sample_labels(volume: tf.Tensor, around: Around) -> tf.Tensor:
    """Returns labels `(n,)` of an `(i, j, k)` label map from its `neighbours`: those with most of the weight, so that a
    border is not as jagged as by the nearest voxel."""
    flat = tf.reshape(volume, [-1])
    labels, weights = zip(*((tf.gather(flat, at), weight) for at, weight in around), strict=True)
    votes = list(weights)
    for one, other in itertools.combinations(range(len(labels)), 2):
        same = labels[one] == labels[other]
        votes[one] += tf.where(same, weights[other], 0.0)
        votes[other] += tf.where(same, weights[one], 0.0)
    chosen, most = labels[0], votes[0]
    for label, vote in zip(labels[1:], votes[1:], strict=True):
        chosen, most = tf.where(vote > most, label, chosen), tf.maximum(vote, most)
    return chosen


def unmask(masked: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Takes image × mask and mask, modality + 1 along `axis`, to the image with the background filled in.

    Dividing by the interpolated mask keeps the voxels at the brain's border free of the background's value.
    """
    image, mask = tf.split(masked, [-1, 1], axis)
    return tf.where(mask >= 0.5, image / tf.maximum(mask, 0.5), BACKGROUND)


def halve(masked: tf.Tensor) -> tf.Tensor:
    """Halves the resolution of `(i, j, k, modality + 1)` by averaging 2×2×2 voxels; sizes are even."""
    return tf.nn.avg_pool3d(masked[None], 2, 2, "VALID")[0]


def drop_modalities(images: list[tf.Tensor], chance: float, seed: tf.Tensor) -> list[tf.Tensor]:
    """Takes each modality away from a patch and its context, `(modality, i, j, k)`, with probability `chance`: it
    becomes the background, as one that a scan does not have. One that is drawn stays for sure."""
    modalities = images[0].shape[0]
    seeds = tf.unstack(tf.random.split(seed, 2))
    stays = tf.random.stateless_uniform([], seeds[0], 0, modalities, tf.int32)
    kept = (tf.random.stateless_uniform([modalities], seeds[1]) >= chance) | (tf.range(modalities) == stays)
    return [tf.where(kept[:, None, None, None], image, BACKGROUND) for image in images]


def change_intensities(images: list[tf.Tensor], augmentation: Augmentation, seed: tf.Tensor) -> list[tf.Tensor]:
    """Applies one draw of bias field, contrast, brightness and gamma to a `(modality, i, j, k)` patch and to its
    context, if there is one, and noise to each."""
    modalities = images[0].shape[0]
    seeds = tf.unstack(tf.random.split(seed, 4))
    draws = tf.random.stateless_uniform([4, modalities, 1, 1, 1], seeds[0], -1.0, 1.0)
    contrast = 1 + augmentation.contrast * draws[0]
    brightness = augmentation.brightness * draws[1]
    gamma = tf.exp(augmentation.gamma * draws[2])
    noise = augmentation.noise * (draws[3] + 1) / 2
    bias = augmentation.bias * tf.random.stateless_uniform([9, modalities, 1, 1], seeds[1], -1.0, 1.0)

    def change(values: tf.Tensor, reach: float, noise_seed: tf.Tensor, noise_scale: float) -> tf.Tensor:
        changed = values * (contrast * _bias_field(bias, values.shape[1:], reach)) + brightness
        unit = tf.clip_by_value((changed + 4) / 8, 1e-3, 1.0)
        # unit ** gamma, in half the time.
        changed = 8 * tf.exp(gamma * tf.math.log(unit)) - 4
        changed += noise * noise_scale * tf.random.stateless_normal(tf.shape(values), noise_seed)
        return tf.where(values == BACKGROUND, BACKGROUND, changed)

    # A context is twice as wide, and a voxel of it the mean of eight, and so is its noise.
    scales = ((1.0, seeds[2], 1.0), (2.0, seeds[3], 8**-0.5))
    return [change(image, *scale) for image, scale in zip(images, scales, strict=False)]


def _bias_field(coefficients: tf.Tensor, shape: Shape, reach: float) -> tf.Tensor:
    """The `(modality, i, j, k)` exponential of a quadratic polynomial without constant, of `(9, modality, 1, 1)`
    coefficients, over a box of `(i, j, k)` voxels that is `reach` wide along every axis.

    A monomial depends on two coordinates at most, so that the field is a product of three planes.
    """
    i, j, k = ((tf.range(n, dtype=tf.float32) - (n - 1) / 2) * (reach / n) for n in shape)
    of_i, of_j, of_k, of_ii, of_jj, of_kk, of_ij, of_jk, of_ik = tf.unstack(coefficients)
    ij = of_i * i[:, None] + of_ii * i[:, None] ** 2 + of_ij * i[:, None] * j
    jk = of_j * j[:, None] + of_jj * j[:, None] ** 2 + of_jk * j[:, None] * k
    ik = of_k * k + of_kk * k**2 + of_ik * i[:, None] * k
    return tf.exp(ij)[..., None] * tf.exp(jk)[:, None] * tf.exp(ik)[:, :, None]
