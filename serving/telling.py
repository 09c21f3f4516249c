"""Owns how often the log tells what anybody can cause without a key, so that nobody fills a disk with it."""

from serving.rates import RateLimiter

_LINES_PER_MINUTE = 60
_ONE = "all"  # the one bucket


class SparseTelling:
    """Counts events of which so many a minute are told one by one; the next that is told says how many were not."""

    def __init__(self) -> None:
        """Begin with a minute's worth."""
        self._limiter = RateLimiter()
        self._n_untold = 0

    def count(self) -> int | None:
        """Count one event.

        Returns:
            How many were not told since the last that was, if this one is to be told; else None.
        """
        if self._limiter.take(_ONE, per_minute=_LINES_PER_MINUTE):
            self._n_untold += 1
            return None
        n_untold, self._n_untold = self._n_untold, 0
        return n_untold
