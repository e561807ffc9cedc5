"""What a step reports, as Keras metrics.

Keras adds a metric's variables up over the replicas when it reads them outside a step, but leaves them apart within
one: each `result` adds them up itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tf_msgan.models.replicas import sum_replicas
from tf_msgan.preprocessing.reserved_values import IGNORE


class TissueDice(keras.metrics.Metric):
    """Dice of each tissue, and their mean, over every voxel seen since the last reset; ignored voxels do not count.

    `result` is a dict `dice_CSF`, …, `dice`, each in 0..1; a tissue that is neither seen nor predicted scores 1.
    """

    def __init__(self, tissues: Iterable[str], name: str = "dice", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.tissues = tuple(tissues)
        shape = (len(self.tissues),)
        # Float32 counts whole voxels up to 2²⁴ only; a validation volume may hold more.
        self.overlap = self.add_variable(shape, "zeros", dtype="float64", name="overlap")
        self.sizes = self.add_variable(shape, "zeros", dtype="float64", name="sizes")

    def update_state(self, labels: tf.Tensor, probabilities: tf.Tensor) -> None:
        """Takes `(batch, i, j, k)` classes and `(batch, i, j, k, K)` probabilities."""
        labels = ops.cast(labels, "int32")
        predicted = ops.where(labels == IGNORE, IGNORE, ops.cast(ops.argmax(probabilities, axis=-1), "int32"))
        for index in range(len(self.tissues)):
            is_true, is_predicted = labels == index + 1, predicted == index + 1
            both = ops.sum(ops.cast(ops.logical_and(is_true, is_predicted), "float64"))
            size = ops.sum(ops.cast(is_true, "float64")) + ops.sum(ops.cast(is_predicted, "float64"))
            here = ops.one_hot(index, len(self.tissues), dtype="float64")
            self.overlap.assign_add(here * both)
            self.sizes.assign_add(here * size)

    def result(self) -> dict[str, tf.Tensor]:
        overlap, sizes = sum_replicas([ops.convert_to_tensor(self.overlap), ops.convert_to_tensor(self.sizes)])
        absent = sizes == 0
        dice = ops.where(absent, 1.0, 2 * overlap / ops.where(absent, 1.0, sizes))
        scores = {f"{self.name}_{tissue}": dice[index] for index, tissue in enumerate(self.tissues)}
        return {**scores, self.name: ops.mean(dice)}


class TermMeans(keras.metrics.Metric):
    """The mean of each of several scalars over the steps since the last reset; `result` is a dict by name.

    Args:
        names: of the scalars.
        only_finite: leave out values that are not finite.
    """

    def __init__(self, names: Iterable[str], only_finite: bool = False, name: str = "terms", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.names = tuple(names)
        self.only_finite = only_finite
        self.totals = self.add_variable((len(self.names),), "zeros", name="totals")
        self.counts = self.add_variable((len(self.names),), "zeros", name="counts")

    def update_state(self, scalars: Mapping[str, tf.Tensor]) -> None:
        """Takes a dict of scalars; what it lacks is not counted."""
        values = ops.stack([ops.cast(scalars.get(name, 0.0), "float32") for name in self.names])
        counted = ops.convert_to_tensor([name in scalars for name in self.names])
        if self.only_finite:
            counted = ops.logical_and(counted, ops.isfinite(values))
        self.totals.assign_add(ops.where(counted, values, 0.0))
        self.counts.assign_add(ops.cast(counted, "float32"))

    def result(self) -> dict[str, tf.Tensor]:
        totals, counts = sum_replicas([ops.convert_to_tensor(self.totals), ops.convert_to_tensor(self.counts)])
        means = totals / ops.maximum(counts, 1.0)
        return {name: means[index] for index, name in enumerate(self.names)}
