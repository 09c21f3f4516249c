"""Owns how often each key may ask: one token bucket a key. Knows nothing of HTTP."""

import math
import time
from collections.abc import Callable

_SECONDS_PER_MINUTE = 60.0


class RateLimiter:
    """Token buckets that hold one minute's worth, refilled steadily."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets.

        Args:
            clock: seconds, never running backwards.
        """
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # key id -> (tokens left, when, in seconds)

    def take(self, key_id: str, *, per_minute: int) -> float:
        """Take one request out of a key's bucket.

        Args:
            key_id: whose bucket.
            per_minute: its size, and what flows in each minute.

        Returns:
            0 if it had one, else the seconds until it will.
        """
        now_s = self._clock()
        tokens, at_s = self._buckets.get(key_id, (float(per_minute), now_s))
        tokens = min(float(per_minute), tokens + (now_s - at_s) * per_minute / _SECONDS_PER_MINUTE)
        if tokens >= 1:
            self._buckets[key_id] = (tokens - 1, now_s)
            return 0.0
        self._buckets[key_id] = (tokens, now_s)
        return (1 - tokens) * _SECONDS_PER_MINUTE / per_minute


def whole_seconds(seconds: float) -> int:
    """Round up, as `Retry-After` wants it; at least 1."""
    return max(1, math.ceil(seconds))
