"""Owns whether a folder can take what a run writes, asked before and not after it, and what a stopped write leaves."""

import errno
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from twohands.errors import FileWriteError

# Weights and AdamW's two moments in each checkpoint; the best, the last and the one being written; the result.
RUN_COPIES = 3 * 3 + 1
# The graph in fp32 and its fused version, and int8 candidates beside them.
EXPORT_COPIES = 4
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_FULL_BYTES = 2**20


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest of its parents that is there."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))


def check_room(folder: Path, *, needed_bytes: int, option: str) -> None:
    """Refuse a folder that cannot be made, cannot be written to, or lies on a disk that is too full.

    Args:
        folder: to be made or written to.
        needed_bytes: what will stand there at most at one time, beyond what stands there now.
        option: by which another folder is named, for the message.

    Raises:
        FileWriteError: any of these.
    """
    place = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
        free_bytes = shutil.disk_usage(place).free
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileWriteError(f"cannot write {folder}: {place}: {reason}; name another by {option}") from error
    if free_bytes < needed_bytes:
        raise FileWriteError(
            f"{folder} needs some {needed_bytes / 1e6:,.0f} MB at its fullest, and {place} has "
            f"{free_bytes / 1e6:,.0f} MB free; make room, or name another by {option}"
        )


def folder_bytes(folder: Path) -> int:
    """How many bytes stand in a folder and all below; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def name_partial(path: Path) -> Path:
    """Say where a file stands until it is whole."""
    return path.with_name(path.name + ".partial")


@contextmanager
def make_whole(path: Path) -> Iterator[Path]:
    """Put a file in its place once it is written to its end, and leave nothing where it is not: the disk may be full.

    Args:
        path: of the file; its folder is there.

    Yields:
        The file to write.
    """
    partial = name_partial(path)
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def telling_full_disk(folder: Path) -> Iterator[None]:
    """Name a disk that fills up, or is taken away, while something is written to it.

    Args:
        folder: what the block writes to.

    Yields:
        Nothing.

    Raises:
        FileWriteError: a write failed for want of room or right; anything else passes as it was.
    """
    try:
        yield
    except Exception as error:
        # torch and safetensors tell of a full disk by classes of their own, without the system's number.
        is_full = isinstance(error, OSError) and error.errno in _FULL
        is_full = is_full or f"os error {errno.ENOSPC}" in str(error)
        if not is_full and shutil.disk_usage(_nearest(folder)).free >= _FULL_BYTES:
            raise
        raise FileWriteError(
            f"cannot write {folder}: {error}; make room, and give the same command again: it goes on where it was"
        ) from error


@contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """End by an exception when asked to end, so that what is half written is cleared away.

    Yields:
        Nothing. Outside the main thread, and where somebody else handles the signal, all stays as it is.

    Raises:
        SystemExit: the signal came; its code is that of a process that the signal ended.
    """

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
