"""Progress on the terminal."""

import sys

from tqdm import tqdm


class TerminalProgress:
    """Draws a bar a task on a terminal, and prints one line a task elsewhere; a `tf_msgan.progress.Progress`."""

    def __init__(self, bars: bool) -> None:
        self.bars = bars and sys.stdout.isatty()
        self._bars: dict[str, tqdm] = {}

    def __call__(self, task: str, done: int, total: int) -> None:
        if self.bars:
            if task not in self._bars:
                self._bars[task] = tqdm(desc=task, total=total, file=sys.stdout)
            bar = self._bars[task]
            bar.update(done - bar.n)
            if done == total:
                bar.close()
                del self._bars[task]
        elif done == total:
            print(f"{task}: done", flush=True)
