"""Progress on the terminal."""

import sys

from tf_msgan.cli.quiet_import import quiet_import


class TerminalProgress:
    """Draws a bar a task on a terminal, and prints one line a task elsewhere; a `tf_msgan.progress.Progress`."""

    def __init__(self, bars: bool):
        self.bars = bars and sys.stdout.isatty()
        self._bars = {}

    def __call__(self, task: str, done: int, total: int) -> None:
        if self.bars:
            if task not in self._bars:
                with quiet_import():
                    from keras.utils import Progbar

                print(task)
                self._bars[task] = Progbar(total)
            self._bars[task].update(done)
            if done == total:
                del self._bars[task]
        elif done == total:
            print(f"{task}: done", flush=True)
