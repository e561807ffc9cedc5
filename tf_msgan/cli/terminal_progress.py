"""Progress on the terminal."""

import shutil
import sys

from tqdm import tqdm


def draw_bar(task: str, total: int) -> tqdm:
    """Draws a bar on standard output, as wide as the terminal; 80 columns if that does not say."""
    columns, lines = shutil.get_terminal_size()
    return tqdm(desc=task, total=total, file=sys.stdout, ncols=columns, nrows=lines)


class TerminalProgress:
    """Draws a bar a task on a terminal, and prints one line a task elsewhere; a `tf_msgan.progress.Progress`."""

    def __init__(self, bars: bool) -> None:
        self.bars = bars and sys.stdout.isatty()
        self._bars: dict[str, tqdm] = {}

    def __call__(self, task: str, done: int, total: int) -> None:
        if self.bars:
            if task not in self._bars:
                self._bars[task] = draw_bar(task, total)
            bar = self._bars[task]
            bar.update(done - bar.n)
            if done == total:
                bar.close()
                del self._bars[task]
        elif done == total:
            print(f"{task}: done", flush=True)
