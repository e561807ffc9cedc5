"""Sums over the replicas of a step."""

from typing import Any

import tensorflow as tf


def sum_replicas(values: Any) -> Any:
    """Returns the sum of a tensor, or of each of several, over all replicas; outside a step as it is. Gradients
    pass."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return values
    # `identity` puts a variable's value on the replica's device, without which several workers cannot reduce it.
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.nest.map_structure(tf.identity, values))
