"""Owns the room on the disk in which a worker counts: taken before it serves, and given back when it has ended.

The client library maps files of which nothing is on the disk yet. Where that is full by the time a count needs its
room, the system ends the process (SIGBUS), and each that takes its place: all workers of a service, though nothing
else of it would notice.
"""

import contextlib
import os
import sys
from pathlib import Path

from twohands.errors import FileWriteError

_KIB = 1024
# Of each kind of file that `Metrics` makes; twice what all routes and a dozen codes take with one model.
ROOM_BYTES = {
    "counter": 128 * _KIB,
    "histogram": 512 * _KIB,
    "gauge_livesum": 64 * _KIB,
    "gauge_livemax": 64 * _KIB,
    "gauge_livemostrecent": 64 * _KIB,
    "gauge_sum": 64 * _KIB,
}
_USED = 4  # bytes at the beginning of a file, which tell how many are used


def _list_files(folder: Path, pid: int) -> list[Path]:
    return [folder / f"{kind}_{pid}.db" for kind in ROOM_BYTES]


def take_room(folder: Path) -> None:
    """Take all that this process will need, so that no count needs more later.

    Args:
        folder: where the workers count.

    Raises:
        FileWriteError: there is not so much left.
    """
    files = _list_files(folder, os.getpid())
    try:
        for path, n_bytes in zip(files, ROOM_BYTES.values(), strict=True):
            with path.open("ab") as file:  # one of an earlier process of this number goes on
                file.write(bytes(max(0, n_bytes - file.tell())))
    except OSError as error:
        for path in files:
            with contextlib.suppress(OSError):
                _cut(path)
        raise FileWriteError(f"there is no room to count in, {folder}: {error.strerror}; make some there") from error


def give_back(folder: Path, pid: int) -> None:
    """Give back what a process that has ended did not use; what it counted stays, or sums would fall.

    Args:
        folder: where the workers count.
        pid: of the process.
    """
    for path in _list_files(folder, pid):
        with contextlib.suppress(OSError):
            _cut(path)


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        n_used = int.from_bytes(file.read(_USED), sys.byteorder)
        file.truncate(n_used)
    if not n_used:
        path.unlink()
