"""What a model learns with: networks, and the optimiser that moves them."""

from collections.abc import Callable
from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Network:
    """A network of a model.

    Attributes:
        build: makes it, with new weights.
        labelled, unlabelled: how many batches as large as the labelled and the unlabelled one run through it in a step.
    """

    build: Callable[[], keras.Model]
    labelled: int = 0
    unlabelled: int = 0


@dataclass(frozen=True)
class Learner:
    """The networks that one optimiser moves.

    Attributes:
        name: of the learner; its optimiser is NAME_optimizer.
        networks: by name; each becomes an attribute of the model.
        terms: names of the losses that a step reports of it, NAME_loss and what that is made of.
        diagnostics: names of what else a step reports of it.
        adversarial: whether it starts with the adversarial phase, not with the run.
        averaged: whether the model keeps moving averages of its networks, NAME_average, and predicts with those.
        makes_images: whether it makes images to fool D.
    """

    name: str
    networks: dict[str, Network]
    terms: tuple[str, ...]
    diagnostics: tuple[str, ...] = ()
    adversarial: bool = False
    averaged: bool = False
    makes_images: bool = False

    @property
    def optimizer(self) -> str:
        """The name of its optimiser."""
        return f"{self.name}_optimizer"
