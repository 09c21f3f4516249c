"""Owns the folder that the processes of one service share: where it lies, and what happens when it is cleaned away.

It is locked for as long as its service lives, so that what a killed one left can be told from what is in use.
"""

import fcntl
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twohands.errors import FileWriteError

_LOGGER = logging.getLogger(__name__)

METRICS_FOLDER, RATES_FOLDER, MODELS_FOLDER = "metrics", "rates", "models"
_PREFIX = "twohands-"
_MADE = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")  # as `tempfile` names it
_LEAST_AGE_S = 60.0  # a new one is not locked yet


@contextmanager
def open_shared_folder() -> Iterator[Path]:
    """Make the folder, and remove it at the end; and now those of services that were killed and could not.

    Yields:
        The folder, in that of the service manager (`RUNTIME_DIRECTORY`) if it made one, else in the temporary one.

    Raises:
        FileWriteError: none can be made, as in a container whose file system is read-only, without a `/tmp`.
    """
    with _make_folder() as folder:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # systemd sweeps what is ten days old out of /tmp, but for what lies in a locked folder.
            # Source: https://systemd.io/TEMPORARY_DIRECTORIES/
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            _LOGGER.warning("%s cannot be locked: %s", folder, error.strerror)
        try:
            yield Path(folder)
        finally:
            os.close(number)


def _make_folder() -> "tempfile.TemporaryDirectory[str]":
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    parent = given if given and os.access(given, os.W_OK | os.X_OK) else None
    try:
        for left in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_left(left)
        return tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent)
    except OSError as error:
        raise FileWriteError(
            f"no folder can be made that the workers share: {error.strerror}; give them one to write to by TMPDIR, or "
            "serve with one process"
        ) from error


def _remove_left(folder: Path) -> None:
    """Remove a folder if it is one of ours that no service holds, and if it has nothing else in it."""
    if not _MADE.fullmatch(folder.name):
        return
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # a link, a file, another user's
        return
    try:
        found = os.fstat(number)
        if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _LEAST_AGE_S:
            return
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        parts = {each.name for each in folder.iterdir()}
        if {METRICS_FOLDER, MODELS_FOLDER} <= parts <= {METRICS_FOLDER, MODELS_FOLDER, RATES_FOLDER}:
            shutil.rmtree(folder)
            _LOGGER.info("%s is removed, which a service left that was killed", folder)
    except OSError as error:
        if not isinstance(error, BlockingIOError):  # which says that it is in use
            _LOGGER.warning("%s, which a service may have left, stays: %s", folder, error.strerror)
    finally:
        os.close(number)


def ensure_folder(folder: Path) -> None:
    """Make a part of the shared folder, again if somebody removed it.

    Args:
        folder: a folder right in the shared one.

    Raises:
        OSError: it cannot be made, or another user made it in the meantime.
    """
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)
        if each.lstat().st_uid != os.geteuid():
            raise PermissionError(1, "it is another user's", str(each))
