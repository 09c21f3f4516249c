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


def find_bound(n_new: int, most: int, *, is_part: bool = False) -> int:
    """How many may wait beside a request, itself among them.

    The last quarter of the room is kept for small requests, of at most a sixteenth of it or of one: large ones can
    fill the queue, but not shut out single paragraphs.

    Args:
        n_new: tokens or paragraphs of the request.
        most: how many may wait.
        is_part: it is a later part of something long, and so no small one, however few it has.

    Returns:
        All of the room for a small one, three quarters for others.
    """
    return most if n_new <= find_most_of_small(most) and not is_part else most * 3 // 4


def find_most_of_small(most: int) -> int:
    """Tokens or paragraphs of the largest request that counts as a small one, where so many may wait."""
    return max(1, most // 16)


def has_room(*, n_waiting: int, n_new: int, most: int, is_part: bool = False) -> bool:
    """Whether a request is taken in; whole or not at all.

    One that is larger than all of the room is taken in when nothing waits, else it could never be.

    Args:
        n_waiting: tokens or paragraphs that wait; of one request at most three quarters of the room are to count.
        n_new: of the request.
        most: how many may wait.
        is_part: as in `find_bound`.

    Returns:
        Whether there is room.
    """
    return n_waiting == 0 or n_waiting + n_new <= find_bound(n_new, most, is_part=is_part)


def has_own_room(*, n_own: int, n_new: int, most: int) -> bool:
    """Whether one API key may have more wait: at most three quarters of the room, so that the others find some.

    Args:
        n_own: tokens or paragraphs of the key that wait.
        n_new: of the request.
        most: how many may wait of all keys together.

    Returns:
        Whether it may; when nothing of it waits, it always may.
    """
    return n_own == 0 or n_own + n_new <= most * 3 // 4


def make_overloaded(
    what: str, *, n_waiting: int, n_new: int, bound: int, kept: str = "", most_at_once: int, retry_after_s: int
) -> OverloadedError:
    """Say that there is no room, and when to come back; or how to get in, where coming back may be in vain.

    Args:
        what: is counted.
        n_waiting: of it.
        n_new: of the request.
        bound: how many may wait beside this request, itself among them.
        kept: for whom the room beyond that is, if there is any.
        most_at_once: of one request; more of them are taken in only while nothing waits, which may be never.
        retry_after_s: when there should be room.

    Returns:
        The error.
    """
    how = f"try again in {retry_after_s} s"
    if n_new > max(1, most_at_once):
        n_parts = math.ceil(n_new / max(1, most_at_once))
        how = f"more than {most_at_once} at once are taken in only while none wait: send {n_parts} parts, or {how}"
    return OverloadedError(
        f"{n_waiting} {what} wait already and there is no room for {n_new} more, the bound being {bound}{kept}; {how}",
        retry_after_s=retry_after_s,
    )
