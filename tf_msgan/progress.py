"""Progress on the terminal."""

import sys

from tf_msgan.quiet import quiet_import


class Progress:
    """Draws bars on a terminal, and prints one line a task elsewhere."""

    def __init__(self, bars: bool):
        self.bars = bars and sys.stdout.isatty()

    def task(self, name: str):
        """Returns a function of (done, total) that shows how far `name` is."""
        bar = None

        def show(done, total):
            nonlocal bar
            if self.bars:
                if bar is None:
                    with quiet_import():
                        from keras.utils import Progbar

                    print(name)
                    bar = Progbar(total)
                bar.update(done)
            elif done == total:
                print(f"{name}: done", flush=True)

        return show
