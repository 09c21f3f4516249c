"""Owns the progress bar of bulk runs, on standard error and only where somebody looks at it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What a bulk run tells about itself."""

    def advance(self, n_items: int) -> None:
        """Some items are done."""

    def say(self, message: str) -> None:
        """Tell one line without breaking the bar."""


class _Silent:
    """No bar; lines still go to standard error."""

    def advance(self, n_items: int) -> None:
        del n_items

    def say(self, message: str) -> None:
        sys.stderr.write(message + "\n")


@contextmanager
def show_progress(*, is_shown: bool, total: int | None, n_done: int) -> Iterator[Progress]:
    """Show a bar with rows per second, and the time left where the total is known.

    Args:
        is_shown: whether standard error is a terminal that nothing else writes to.
        total: items in all; None if that cannot be known.
        n_done: items that an earlier run did.

    Yields:
        Where to tell progress.
    """
    if not is_shown:
        yield _Silent()
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
