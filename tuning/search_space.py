"""The space of a joint search: fields of a config, and what each may be."""

from dataclasses import dataclass

from keras_tuner import HyperParameters


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, drawn by their logarithm, and rounded to two digits: KerasTuner's workers get them
    in single precision, and must make the same of them."""

    low: float
    high: float

    def draw(self, hp: HyperParameters, field: str) -> float:
        return float(f"{hp.Float(field, self.low, self.high, sampling='log'):.2g}")


@dataclass(frozen=True)
class Choice:
    """One of some whole numbers."""

    options: tuple[int, ...]

    def draw(self, hp: HyperParameters, field: str) -> int:
        return hp.Choice(field, list(self.options))


SPACE: dict[str, Range | Choice] = {
    "training.lr": Range(1e-4, 1e-2),
    "training.batch_size": Choice((2, 4, 8, 16)),
    "training.patch": Choice((16, 24, 32, 40)),
    "training.labels_first": Range(0.3, 0.9),
    "network.unet_width": Choice((8, 12, 16, 24)),
    "network.refine_width": Choice((8, 12, 16, 24)),
    "loss.unlabelled": Range(0.1, 1.0),
    "loss.fake": Range(0.1, 1.0),
    "loss.feature_matching": Range(0.1, 10.0),
    "loss.prediction": Range(0.01, 1.0),
}
# What means nothing to a model.
IDLE = {
    "unet": (
        "training.labels_first",
        "network.refine_width",
        "loss.unlabelled",
        "loss.fake",
        "loss.feature_matching",
        "loss.prediction",
    ),
    "standard-gan": ("network.refine_width", "loss.prediction"),
    "one-stage": ("network.unet_width", "loss.feature_matching"),
    "multi-stage": ("network.unet_width",),
}


def draw_values(hp: HyperParameters, model: str) -> dict[str, float]:
    """Draws a trial's values, by field, for one of `MODELS`."""
    return {field: options.draw(hp, field) for field, options in SPACE.items() if field not in IDLE[model]}
