"""Owns how progress is told, on standard error: a bar where somebody watches, else lines of what takes minutes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], None]
Tell = Callable[[str], None]


def tell_stage(line: str) -> None:
    """Tell a stage on standard error where no bar can be: what ran in a pipe for minutes was not told from a hang.

    Args:
        line: what begins.
    """
    if not sys.stderr.isatty():
        click.echo(line, err=True)


def tell_nothing(line: str) -> None:
    """Tell no stage: what is fitted again and again would tell too many.

    Args:
        line: what begins.
    """
    del line


@contextmanager
def show_progress(description: str, total: int) -> Iterator[Advance]:
    """Show a bar while the block runs; nothing is written where standard error is not a terminal.

    Args:
        description: what is being done.
        total: steps.

    Yields:
        A function to call with the number of steps done.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(description, total=total)

        def advance(steps: int) -> None:
            progress.advance(task, steps)

        yield advance


def show_each(description: str, names: Iterable[str]) -> Iterator[str]:
    """Show a bar over what is measured one by one: many rows take minutes after they are classified (#6).

    Args:
        description: what is being done.
        names: what it is done to.

    Yields:
        Each name, counted as done when the next is asked for.
    """
    listed = list(names)
    with show_progress(description, len(listed)) as advance:
        for name in listed:
            yield name
            advance(1)
