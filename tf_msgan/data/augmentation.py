"""Random changes to a labelled patch and its context, in the tf.data graph and keyed on a stateless seed.

A block of `(i, j, k, modality + 1)` goes in: the image times the brain mask, and the mask. Patch and context are cut
from it by one affine map, so that they show the same changed brain.
"""

import math

import tensorflow as tf

from tf_msgan.config import Augmentation
from tf_msgan.data.background import BACKGROUND

# A block must hold the turned, scaled context: 2 × patch, with some air.
BLOCK_FACTOR = 1.25


def random_affine(augmentation: Augmentation, spacing, seed):
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


def offsets(shape):
    """The `(voxels, 3)` float32 offsets of a patch's voxels from its centre."""
    axes = [tf.range(size, dtype=tf.float32) - (size - 1) / 2 for size in shape]
    return tf.reshape(tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1), [-1, 3])


def sample_linear(volume, points):
    """Trilinear samples `(n, channel)` of `(i, j, k, channel)` at `(n, 3)` voxel coordinates; edges are repeated."""
    shape = tf.shape(volume)
    flat = tf.reshape(volume, [-1, volume.shape[-1]])
    low = tf.floor(points)
    fraction = points - low
    low = tf.cast(low, tf.int32)
    corners = [tf.clip_by_value(low + side, 0, shape[:3] - 1) for side in (0, 1)]
    weights = [1 - fraction, fraction]
    total = 0.0
    for i in (0, 1):
        for j in (0, 1):
            row = (corners[i][:, 0] * shape[1] + corners[j][:, 1]) * shape[2]
            weight = weights[i][:, 0] * weights[j][:, 1]
            for k in (0, 1):
                value = tf.gather(flat, row + corners[k][:, 2])
                total += (weight * weights[k][:, 2])[:, None] * value
    return total


def sample_nearest(volume, points):
    """Nearest samples `(n,)` of an `(i, j, k)` volume at `(n, 3)` voxel coordinates; edges are repeated."""
    shape = tf.shape(volume)
    index = tf.clip_by_value(tf.cast(tf.round(points), tf.int32), 0, shape - 1)
    return tf.gather(tf.reshape(volume, [-1]), (index[:, 0] * shape[1] + index[:, 1]) * shape[2] + index[:, 2])


def unmask(masked):
    """Takes `(…, modality + 1)` image × mask and mask to the `(…, modality)` image with the background filled in.

    Dividing by the interpolated mask keeps the voxels at the brain's border free of the background's value.
    """
    image, mask = masked[..., :-1], masked[..., -1:]
    return tf.where(mask >= 0.5, image / tf.maximum(mask, 0.5), BACKGROUND)


def halve(masked):
    """Halves the resolution of `(i, j, k, modality + 1)` by averaging 2×2×2 voxels; sizes are even."""
    return tf.nn.avg_pool3d(masked[None], 2, 2, "VALID")[0]


def drop_modalities(image, context, chance: float, seed):
    """Takes each modality away from a patch and its context with probability `chance`: it becomes the background, as
    one that a scan does not have. One that is drawn stays for sure."""
    modalities = image.shape[-1]
    seeds = tf.unstack(tf.random.split(seed, 2))
    stays = tf.random.stateless_uniform([], seeds[0], 0, modalities, tf.int32)
    kept = (tf.random.stateless_uniform([modalities], seeds[1]) >= chance) | (tf.range(modalities) == stays)
    return tf.where(kept, image, BACKGROUND), tf.where(kept, context, BACKGROUND)


def change_intensities(image, context, augmentation: Augmentation, seed):
    """Applies one draw of bias field, contrast, brightness and gamma to an `(i, j, k, modality)` patch and to its
    context, and noise to each."""
    modalities = image.shape[-1]
    seeds = tf.unstack(tf.random.split(seed, 4))
    draws = tf.random.stateless_uniform([4, modalities], seeds[0], -1.0, 1.0)
    coefficients = tf.random.stateless_uniform([9, modalities], seeds[1], -1.0, 1.0) * augmentation.bias
    noise = (draws[3] + 1) / 2 * augmentation.noise

    def change(values, reach, noise_seed, noise_scale):
        shape = values.shape[:3]
        position = tf.reshape(offsets(shape), [*shape, 3]) * [reach / size for size in shape]
        x, y, z = tf.unstack(position, axis=-1)
        monomials = tf.stack([x, y, z, x * x, y * y, z * z, x * y, y * z, x * z], axis=-1)
        changed = values * (1 + augmentation.contrast * draws[0]) * tf.exp(monomials @ coefficients)
        changed += augmentation.brightness * draws[1]
        unit = tf.clip_by_value((changed + 4) / 8, 1e-3, 1.0)
        changed = 8 * unit ** tf.exp(augmentation.gamma * draws[2]) - 4
        changed += noise * noise_scale * tf.random.stateless_normal(tf.shape(values), noise_seed)
        return tf.where(values == BACKGROUND, BACKGROUND, changed)

    # A context voxel is the mean of eight, and so is its noise.
    return change(image, 1.0, seeds[2], 1.0), change(context, 2.0, seeds[3], 8**-0.5)
