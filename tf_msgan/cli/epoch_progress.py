"""How far a training has come, on the terminal."""

import keras


class EpochProgress(keras.callbacks.Callback):
    """A bar an epoch with the networks' losses and Dice, or, without bars, a line an epoch."""

    def __init__(self, bars: bool):
        super().__init__()
        self.bars = bars

    def on_train_begin(self, logs=None):
        self.shown = [*(name for name in self.model.loss_terms if name.endswith("_loss")), "dice"]

    def on_epoch_begin(self, epoch, logs=None):
        self.name = f"epoch {epoch + 1}/{self.model.config.training.epochs}"
        if self.bars:
            print(self.name)
            self.bar = keras.utils.Progbar(self.params["steps"], stateful_metrics=[*self.shown, "val_dice"])

    def on_train_batch_end(self, batch, logs=None):
        if self.bars:
            shown = [(name, float(logs[name])) for name in self.shown if name in logs]
            self.bar.update(batch + 1, shown, finalize=False)

    def on_epoch_end(self, epoch, logs=None):
        shown = [(name, float(logs[name])) for name in (*self.shown, "val_dice") if name in logs]
        if self.bars:
            self.bar.update(self.params["steps"], shown, finalize=True)
        else:
            values = "  ".join(f"{name} {value:.3f}" for name, value in shown)
            print(f"{self.name}  {logs['seconds']:.0f} s  {values}", flush=True)
