"""How far a training has come, on the terminal."""

from typing import Any

import keras

from tf_msgan.cli.terminal_progress import draw_bar


class EpochProgress(keras.callbacks.Callback):
    """A bar an epoch with the networks' losses and Dice, or, without bars, a line an epoch."""

    def __init__(self, bars: bool) -> None:
        super().__init__()
        self.bars = bars

    def on_train_begin(self, logs: Any = None) -> None:
        self.shown = [*(name for name in self.model.loss_terms if name.endswith("_loss")), "dice"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.name = f"epoch {epoch + 1}/{self.model.config.training.epochs}"
        if self.bars:
            self.bar = draw_bar(self.name, self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.bars:
            self.bar.set_postfix(self._values(logs), refresh=False)
            self.bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        values = self._values(logs)
        if self.bars:
            self.bar.set_postfix(values)
            self.bar.close()
        else:
            shown = "  ".join(f"{name} {value}" for name, value in values.items())
            print(f"{self.name}  {logs['seconds']:.0f} s  {shown}", flush=True)

    def _values(self, logs: Any) -> dict[str, str]:
        return {name: f"{float(logs[name]):.3f}" for name in (*self.shown, "val_dice") if name in logs}
