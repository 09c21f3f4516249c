"""Owns folders in the making: hidden beside what they become, held while their process lives, else cleared."""

import glob
import importlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_HELD = ".partial"  # ends the name of a folder that is locked, and of none that is not yet
_OLD = "-old"  # behind it: of what is being replaced, which is locked, too


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


@contextmanager
def _locked_left(target: Path, ending: str) -> Iterator[list[Path]]:
    """Hold what killed processes left of `target`: their locks went with them, those of living ones have not."""
    # What a temporary folder's name ends with has neither - nor dot: `.a-b-….partial` is left of `a-b`, and not of `a`.
    of_target = re.compile(rf"\.{re.escape(target.name)}-[^-.]+({re.escape(_HELD)}({re.escape(_OLD)})?)+")
    with ExitStack() as stack:
        left = []
        for path in target.parent.glob(f".{glob.escape(target.name)}-*{ending}"):
            if of_target.fullmatch(path.name) and (number := _lock(path)) is not None:
                stack.callback(os.close, number)
                left.append(path)
        yield left


def bring_back(target: Path, *, whole: str) -> None:
    """Put back what was being replaced, where a kill came when it was gone and the new one not yet in its place.

    To be called before it is looked at whether `target` is there: else it passes for absent, and is replaced unasked.

    Args:
        target: a folder; of a symbolic link, what it points to.
        whole: the file that such a folder has; earlier releases may have left half of one under the same name.
    """
    place = Path(os.path.realpath(target))
    with _locked_left(place, _HELD + _OLD) as left:
        sound = [path for path in left if (path / whole).is_file()]
        if sound and not os.path.lexists(place):
            # The last one that was renamed; earlier releases left others when what replaced these was whole.
            max(sound, key=lambda path: path.stat().st_ctime_ns).rename(place)


def _clear_left(target: Path) -> None:
    with _locked_left(target, _HELD) as left:
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
    if target.exists():  # what it replaced was left behind; else that is all there is
        with _locked_left(target, _HELD + _OLD) as left:
            for path in left:
                shutil.rmtree(path, ignore_errors=True)


def put_in_place(made: Path, target: Path, *, scratch: Path) -> None:
    """Rename a folder to what it is to be; a folder that is there is gone only once the new one has its name.

    Args:
        made: what was made: `scratch`, or a folder in it.
        target: what it becomes, no link; a folder of this name is removed.
        scratch: as `open_scratch` gave it for `target`.

    Raises:
        OSError: one of them cannot be renamed; then what was there is there.
    """
    if not target.exists():
        made.rename(target)
        return
    number = _lock(target)  # or another process that begins would take it for left
    try:
        retired = scratch.with_name(scratch.name + _OLD)  # not within: a kill here must not take it along
        target.rename(retired)
        try:
            made.rename(target)
        except BaseException:
            retired.rename(target)  # better the old one than none
            raise
        # Under a name that is never brought back: a kill from here on may leave half of it.
        gone = retired.rename(retired.with_name(retired.name + _HELD))
        shutil.rmtree(gone, ignore_errors=True)
    finally:
        if number is not None:
            os.close(number)


@contextmanager
def open_scratch(target: Path) -> Iterator[Path]:
    """Give an empty hidden folder beside `target`, on the same file system, so that it becomes it by one rename.

    Args:
        target: the folder to be, no link; its parent is there.

    Yields:
        The folder. It is removed at the end unless it was renamed, as by `put_in_place`; a process that is killed
        leaves it to the next one that makes the same `target`.
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
