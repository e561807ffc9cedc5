"""What happens between epochs."""

import time

import keras

from tf_msgan.files import atomic_write

# What a line of progress shows, of all that is logged.
SHOWN = ("d_loss", "g1_loss", "g2_loss", "g3_loss", "dice")


class BestModel(keras.callbacks.Callback):
    """Saves the model whenever the validation subjects' mean Dice over all tissues is the best so far."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.best = -1.0

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_dice"] > self.best:
            self.best = logs["val_dice"]
            with atomic_write(self.path) as temporary:
                self.model.save(temporary)


class EpochTime(keras.callbacks.Callback):
    """Adds the epoch's `seconds`, validation included, to its logs."""

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.monotonic() - self.begin


class EpochProgress(keras.callbacks.Callback):
    """A bar an epoch with the four losses and Dice, or, without bars, a line an epoch."""

    def __init__(self, bars: bool):
        super().__init__()
        self.bars = bars

    def on_epoch_begin(self, epoch, logs=None):
        self.name = f"epoch {epoch + 1}/{self.params['epochs']}"
        if self.bars:
            print(self.name)
            self.bar = keras.utils.Progbar(self.params["steps"], stateful_metrics=[*SHOWN, "val_dice"])

    def on_train_batch_end(self, batch, logs=None):
        if self.bars:
            self.bar.update(batch + 1, [(name, logs[name]) for name in SHOWN], finalize=False)

    def on_epoch_end(self, epoch, logs=None):
        shown = [(name, float(logs[name])) for name in (*SHOWN, "val_dice")]
        if self.bars:
            self.bar.update(self.params["steps"], shown, finalize=True)
        else:
            values = "  ".join(f"{name} {value:.3f}" for name, value in shown)
            print(f"{self.name}  {logs['seconds']:.0f} s  {values}", flush=True)
