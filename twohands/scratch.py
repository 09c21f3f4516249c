"""Owns folders in the making: hidden beside what they become, held while their process lives, else cleared."""

import glob
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HELD = ".partial"  # ends the name of a folder that is locked, and of none that is not yet


def _lock(folder: Path) -> int | None:
    """Lock a folder until the number is closed or the process ends; None where another holds it, or nothing can."""
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:  # Windows
        return None
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or on a file system without locks
        os.close(number)
        return None
    return number


def _clear_left(target: Path) -> None:
    """Remove what killed processes left of `target`: their locks went with them, those of living ones have not."""
    for left in target.parent.glob(f".{glob.escape(target.name)}-*{_HELD}"):
        number = _lock(left)
        if number is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(number)


@contextmanager
def open_scratch(target: Path) -> Iterator[Path]:
    """Give an empty hidden folder beside `target`, on the same file system, so that it becomes it by one rename.

    Args:
        target: the folder to be; its parent is there.

    Yields:
        The folder. It is removed at the end unless it was renamed; a process that is killed leaves it to the next one
        that makes the same `target`.
    """
    _clear_left(target)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    # Named so that others may clear it only once it is locked: else one that begins now would take it for left.
    number = _lock(made)
    scratch = made if number is None else made.rename(made.with_name(made.name + _HELD))
    try:
        yield scratch
    finally:
        if scratch.exists():
            shutil.rmtree(scratch)
        if number is not None:
            os.close(number)
