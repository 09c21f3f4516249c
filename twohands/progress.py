"""Owns how progress of bulk runs is told, on standard error: a bar where somebody looks at it, else a line at times."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

TELL_EVERY_S = 300.0  # a line; most runs end before, and say nothing


class Progress(Protocol):
    """What a bulk run tells about itself."""

    def advance(self, n_items: int) -> None:
        """Some items are done."""

    def say(self, message: str) -> None:
        """Tell one line without breaking the bar."""


class _Log:
    """No bar, but a line now and then: of hours in a log file nothing told whether a run went on or hung."""

    def __init__(self, n_done: int) -> None:
        self._n_done = n_done
        self._n_told, self._told_s = n_done, time.monotonic()

    def advance(self, n_items: int) -> None:
        self._n_done += n_items
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_EVERY_S and not sys.stderr.isatty():  # there, it would stand amid the answers
            speed = (self._n_done - self._n_told) / (now_s - self._told_s)
            self.say(f"{self._n_done:,} done so far, {speed:,.1f} rows/s")
            self._n_told, self._told_s = self._n_done, now_s

    def say(self, message: str) -> None:
        sys.stderr.write(message + "\n")


@contextmanager
def show_progress(*, is_shown: bool, total: int | None, n_done: int) -> Iterator[Progress]:
    """Show a bar with rows per second, and the time left where the total is known; else tell a line every five minutes.

    Args:
        is_shown: whether standard error is a terminal that nothing else writes to.
        total: items in all; None if that cannot be known.
        n_done: items that an earlier run did.

    Yields:
        Where to tell progress.
    """
    if not is_shown:
        yield _Log(n_done)
        return
    # Costs a tenth of a second, which a run in a pipe need not pay.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class Speed(ProgressColumn):
        """Rows per second; rich draws columns only through its class."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f} rows/s")

    console = Console(stderr=True)
    columns = ("classifying", BarColumn(), MofNCompleteColumn(), Speed(), TimeRemainingColumn())
    with RichProgress(*columns, console=console) as bar:
        task = bar.add_task("classifying", total=total, completed=n_done)

        class Shown:
            """Tells the bar."""

            def advance(self, n_items: int) -> None:
                bar.advance(task, n_items)

            def say(self, message: str) -> None:
                console.print(message, markup=False, highlight=False, soft_wrap=True)

        yield Shown()
