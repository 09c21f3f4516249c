"""Owns what becomes of a loaded graph in a forked child, where its native threads are not: who holds it is told.

Knows nothing of runtimes. `multiprocessing` forks by default on Linux up to Python 3.13.
"""

import ctypes
import os
import weakref
from pathlib import Path
from typing import Protocol

from twohands.errors import FileReadError

Stamp = tuple[int, int, int]


class Forkable(Protocol):
    """What holds native threads or their locks."""

    def leave_behind(self) -> None:
        """In a child that was just forked: give up what does not work there. Must neither wait nor load."""
        ...


_HELD: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def _leave_all_behind() -> None:
    for held in list(_HELD):
        held.leave_behind()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_behind)


def tell_of_forks(held: Forkable) -> None:
    """Have `leave_behind` called in every child that this process forks, for as long as `held` lives.

    Args:
        held: is not kept alive by this.
    """
    _HELD.add(held)


def never_free(*held: object) -> None:
    """Keep objects until the process ends, and through its end.

    What frees a session waits for its threads to end: a child, where they never were, hung when it exited.

    Args:
        *held: the objects.
    """
    for each in held:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))


def stamp_file(path: Path) -> Stamp:
    """Say which file this is, so that another in its place is noticed.

    Args:
        path: the file.

    Returns:
        Inode, size in bytes and time of the last change in ns.

    Raises:
        FileReadError: there is none.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise FileReadError(f"cannot read {path}: {error}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_same(path: Path, stamp: Stamp) -> None:
    """Refuse to load a graph anew that is not the one whose digest was verified.

    Args:
        path: the graph.
        stamp: of it when it was loaded.

    Raises:
        FileReadError: it is gone, or another stands in its place.
    """
    if stamp_file(path) != stamp:
        raise FileReadError(
            f"{path} is not the file any more that was loaded before this process was forked, and which it must read "
            "again; load the model in this process"
        )
