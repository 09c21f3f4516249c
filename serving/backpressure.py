"""Owns how much may wait, how fast it is worked off, and when somebody who was refused should come back."""

import math
from collections import deque

from twohands.errors import OverloadedError

_N_RUNS = 64
_MOST_RETRY_AFTER_S = 60


class DrainRate:
    """How many tokens a second the threads work off, by the last runs."""

    def __init__(self, num_threads: int) -> None:
        """Know nothing yet.

        Args:
            num_threads: how many work side by side.
        """
        self._num_threads = num_threads
        self._runs: deque[tuple[int, float]] = deque(maxlen=_N_RUNS)

    def note(self, n_tokens: int, spent_s: float) -> None:
        """Learn from one run on one thread."""
        self._runs.append((n_tokens, spent_s))

    @property
    def tokens_per_s(self) -> float | None:
        """Of all threads together; None before the first run."""
        runs = list(self._runs)  # threads append meanwhile
        spent_s = sum(spent for _, spent in runs)
        return self._num_threads * sum(n for n, _ in runs) / spent_s if spent_s > 0 else None

    def estimate_s(self, n_tokens: int) -> int:
        """Whole seconds until so many tokens are worked off.

        Args:
            n_tokens: how many.

        Returns:
            From 1 to 60: one stalled run must not send everybody away for an hour.
        """
        rate = self.tokens_per_s
        return 1 if rate is None else min(max(math.ceil(n_tokens / rate), 1), _MOST_RETRY_AFTER_S)


def check_room(*, waiting_tokens: int, new_tokens: int, max_tokens: int, rate: DrainRate) -> None:
    """Admit a request whole or refuse it whole.

    One that is larger than the bound is taken in when nothing waits, else it could never be.

    Args:
        waiting_tokens: in the queue.
        new_tokens: of the request.
        max_tokens: most that may wait.
        rate: how fast the queue is worked off.

    Raises:
        OverloadedError: there is no room; it says in how many seconds there should be.
    """
    if waiting_tokens == 0 or waiting_tokens + new_tokens <= max_tokens:
        return
    too_many = waiting_tokens + min(new_tokens, max_tokens) - max_tokens
    retry_after_s = rate.estimate_s(too_many)
    raise OverloadedError(
        f"{waiting_tokens} tokens wait already and {new_tokens} more would pass the bound of {max_tokens}; "
        f"try again in {retry_after_s} s",
        retry_after_s=retry_after_s,
    )
