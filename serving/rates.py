"""Owns how often each key may ask: one token bucket a key, in memory or shared by processes. Knows nothing of HTTP."""

import fcntl
import logging
import math
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from serving.shared_folder import ensure_folder

_LOGGER = logging.getLogger(__name__)
_SECONDS_PER_MINUTE = 60.0
_BUCKET = struct.Struct("dd")  # tokens left, when (seconds)


def drain_bucket(
    bucket: tuple[float, float] | None, *, per_minute: int, now_s: float
) -> tuple[tuple[float, float], float]:
    """Take one request out of a bucket that holds one minute's worth and is refilled steadily.

    Args:
        bucket: tokens left and when; None is full.
        per_minute: its size, and what flows in each minute.
        now_s: never before the bucket's own time.

    Returns:
        The bucket now, and 0 if it had a token, else the seconds until it will have.
    """
    tokens, at_s = bucket or (float(per_minute), now_s)
    tokens = min(float(per_minute), tokens + max(0.0, now_s - at_s) * per_minute / _SECONDS_PER_MINUTE)
    if tokens >= 1:
        return (tokens - 1, now_s), 0.0
    return (tokens, now_s), (1 - tokens) * _SECONDS_PER_MINUTE / per_minute


class RateLimiter:
    """Token buckets of all keys."""

    def __init__(self, folder: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets.

        Args:
            folder: where processes that count together keep them; None for memory.
            clock: seconds, never running backwards, the same for all processes of this machine.
        """
        self._folder = folder
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._is_alone = False

    def take(self, key_id: str, *, per_minute: int) -> float:
        """Take one request out of a key's bucket.

        Where processes cannot count together, as on a full disk, each counts for itself: no request fails of that.

        Args:
            key_id: whose bucket; a plain file name.
            per_minute: its size, and what flows in each minute.

        Returns:
            0 if it had one, else the seconds until it will.
        """
        if self._folder is not None:
            try:
                wait_s = self._take_shared(self._folder, key_id, per_minute)
            except OSError as error:
                if not self._is_alone:  # told once
                    _LOGGER.error("%s: %s; this process counts keys alone", self._folder, error.strerror)  # noqa: TRY400 - a trace would say no more
                self._is_alone = True
            else:
                self._is_alone = False
                return wait_s
        bucket = self._buckets.get(key_id)
        self._buckets[key_id], wait_s = drain_bucket(bucket, per_minute=per_minute, now_s=self._clock())
        return wait_s

    def _take_shared(self, folder: Path, key_id: str, per_minute: int) -> float:
        # Opened anew each time: kept open, every key that ever asked would hold one of the process's open files.
        try:
            number = os.open(folder / key_id, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            _LOGGER.warning("%s was removed while the service runs; it is made again, and all keys begin anew", folder)
            ensure_folder(folder)
            number = os.open(folder / key_id, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            content = os.pread(number, _BUCKET.size, 0)
            bucket = _BUCKET.unpack(content) if len(content) == _BUCKET.size else None
            left, wait_s = drain_bucket(bucket, per_minute=per_minute, now_s=self._clock())
            os.pwrite(number, _BUCKET.pack(*left), 0)
        finally:
            os.close(number)  # and with it the lock
        return wait_s


def whole_seconds(seconds: float) -> int:
    """Round up, as `Retry-After` wants it; at least 1."""
    return max(1, math.ceil(seconds))
