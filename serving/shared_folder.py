"""Owns the folder that the processes of one service share: where it lies, and what happens when it is cleaned away."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOGGER = logging.getLogger(__name__)

METRICS_FOLDER, RATES_FOLDER = "metrics", "rates"


@contextmanager
def open_shared_folder() -> Iterator[Path]:
    """Make the folder, and remove it at the end.

    Yields:
        The folder, in that of the service manager (`RUNTIME_DIRECTORY`) if it made one, else in the temporary one.
    """
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    parent = given if given and os.access(given, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="twohands-", dir=parent) as folder:
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
