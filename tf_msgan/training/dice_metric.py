"""Dice as a Keras metric, counted over all voxels of an epoch."""

import keras
from keras import ops

from tf_msgan.data.labels import IGNORE


@keras.saving.register_keras_serializable("tf_msgan")
class TissueDice(keras.metrics.Metric):
    """Dice of each tissue, and their mean, over every voxel seen since the last reset; ignored voxels do not count.

    `result` is a dict `dice_CSF`, …, `dice`, each in 0..1; a tissue that is neither seen nor predicted scores 1.
    """

    def __init__(self, tissues, name="dice", **kwargs):
        super().__init__(name=name, **kwargs)
        self.tissues = tuple(tissues)
        shape = (len(self.tissues),)
        # Float32 counts whole voxels up to 2²⁴ only; a validation volume may hold more.
        self.overlap = self.add_variable(shape, "zeros", dtype="float64", name="overlap")
        self.sizes = self.add_variable(shape, "zeros", dtype="float64", name="sizes")

    def update_state(self, labels, probabilities):
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

    def result(self):
        absent = self.sizes == 0
        dice = ops.where(absent, 1.0, 2 * self.overlap / ops.where(absent, 1.0, self.sizes))
        scores = {f"{self.name}_{tissue}": dice[index] for index, tissue in enumerate(self.tissues)}
        return {**scores, self.name: ops.mean(dice)}

    def get_config(self):
        return {**super().get_config(), "tissues": self.tissues}
