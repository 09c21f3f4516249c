"""Owns the room on the disk in which a worker counts: taken before it serves, and given back when it has ended.

What those that have ended counted stands in one file of each kind: of each its own, they would be more and more, and
all are read whenever metrics are shown.

The client library maps files of which nothing is on the disk yet. Where that is full by the time a count needs its
room, the system ends the process (SIGBUS), and each that takes its place: all workers of a service, though nothing
else of it would notice.
"""

import contextlib
import fcntl
import logging
import os
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from twohands.errors import FileWriteError

_LOGGER = logging.getLogger(__name__)

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
_ENDED = "ended"  # in the place of a process' number
_N_TRIES, _PAUSE_S = 50, 0.02  # for a folder that is being read


def _list_files(folder: Path, pid: int) -> list[Path]:
    return [folder / f"{kind}_{pid}.db" for kind in ROOM_BYTES]


@contextlib.contextmanager
def hold_still(folder: Path) -> Iterator[None]:
    """Keep the counts of processes that have ended where they are while all are read; else some were read twice.

    Args:
        folder: where the workers count.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # where there are no locks, `give_back` moves nothing
            fcntl.flock(number, fcntl.LOCK_SH)
        yield
    finally:
        os.close(number)


def _lock(number: int) -> bool:
    for _ in range(_N_TRIES):
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # not waited for without an end: who reads may have been stopped
            time.sleep(_PAUSE_S)
        except OSError:  # where there are no locks
            return False
        else:
            return True
    return False


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
    """Give back the room of a process that has ended; what it counted stays, or sums would fall.

    Args:
        folder: where the workers count.
        pid: of the process.
    """
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it was cleaned away
        return
    try:
        is_ours = _lock(number)
        for path in _list_files(folder, pid):
            with contextlib.suppress(OSError):
                _cut(path)
        for path, kind in zip(_list_files(folder, pid), ROOM_BYTES, strict=True):
            if is_ours and "live" not in kind and path.exists():
                _fold(path, folder / f"{kind}_{_ENDED}.db")
    except (OSError, RuntimeError, ValueError, struct.error) as error:  # a full disk, a broken file: all stays as it is
        _LOGGER.warning("what a worker counted that has ended keeps files of its own: %s", type(error).__name__)
    finally:
        os.close(number)


def _fold(path: Path, ended: Path) -> None:
    """Add the counts of one file to those of all that have ended."""
    counts: dict[str, float] = {}
    for each in (ended, path):
        if each.exists():
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(each)):  # type: ignore[no-untyped-call]
                counts[key] = counts.get(key, 0.0) + value
    new = ended.with_suffix(".new")  # not read: it has another name than counts
    try:
        # The room is taken first, here too.
        new.write_bytes(bytes(path.stat().st_size + (ended.stat().st_size if ended.exists() else 2 * _KIB)))
        written = MmapedDict(str(new))  # type: ignore[no-untyped-call]
        for key, value in counts.items():
            written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
        written.close()  # type: ignore[no-untyped-call]
        _cut(new)
        new.replace(ended)
    finally:
        new.unlink(missing_ok=True)
    path.unlink()


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        n_used = int.from_bytes(file.read(_USED), sys.byteorder)
        file.truncate(n_used)
    if not n_used:
        path.unlink()
