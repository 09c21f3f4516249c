"""Owns who is taken in: paragraphs and tokens that were promised room, of all and of each caller.

Texts that are still being read count by an estimate of their tokens, so that a burst cannot be taken in whole before
the first of it is counted. Knows nothing of threads; all of it belongs to the event loop.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from serving.asking import NOBODY
from serving.backpressure import DrainRate, find_bound, find_most_of_small, has_own_room, has_room, make_overloaded
from serving.fair_queue import Flow
from serving.fair_share import FairShare


@dataclass(eq=False, slots=True, weakref_slot=True)
class Place:
    """The room of one request; `n_tokens` are promised to it until its windows are queued, as `flow`."""

    caller: str = NOBODY
    n_paragraphs: int = 0
    n_tokens: int = 0
    flow: Flow[Any] | None = None

    @property
    def n_tokens_waiting(self) -> int:
        """Tokens promised, or of windows that have not begun."""
        if self.flow is None:
            return self.n_tokens
        return 0 if self.flow.is_dropped else self.flow.cost_left


class Admission:
    """Counts what was taken in, and refuses what there is no room for."""

    def __init__(self, queue: FairShare[Any], rate: DrainRate, *, max_pending: int, max_queue_tokens: int) -> None:
        """Begin empty.

        Args:
            queue: where windows wait once they are read.
            rate: how fast it is worked off.
            max_pending: most paragraphs admitted and not yet answered.
            max_queue_tokens: most tokens that wait to be run, those promised among them.
        """
        self._queue, self._rate = queue, rate
        self._max_pending, self._max_tokens = max_pending, max_queue_tokens
        self._most_of_one = max_queue_tokens * 3 // 4
        self._larger: WeakSet[Place] = WeakSet()  # requests of more tokens than that
        self._promised = self.n_pending = 0
        self._promised_to: dict[str, int] = {}
        self._pending_of: dict[str, int] = {}

    @property
    def n_tokens(self) -> int:
        """Tokens that wait to be run, and those promised to texts that are being read."""
        return self._queue.tokens + self._promised

    @contextmanager
    def enter(self, n_paragraphs: int, *, n_tokens: int, caller: str, is_part: bool = False) -> Iterator[Place]:
        """Take in a request whole, or not at all.

        Args:
            n_paragraphs: how many it has.
            n_tokens: what they will cost, by estimate.
            caller: who asks.
            is_part: it is a later part of something long. Six streams, each with three groups of few paragraphs in
                work, took up the room that is kept for small requests, and half of those were refused (#5).

        Yields:
            Its place, given back at the end.

        Raises:
            OverloadedError: too many paragraphs or tokens wait already.
        """
        self._check(
            "paragraphs",
            n_paragraphs,
            n_waiting=self.n_pending,
            n_own=self._pending_of.get(caller, 0),
            most=self._max_pending,
            caller=caller,
            is_part=is_part,
            estimate_s=lambda: self._rate.estimate_s(self.n_tokens),
        )
        self.check_tokens(n_tokens, caller=caller, is_part=is_part)
        place = Place(caller, n_paragraphs, n_tokens)
        self._count(place, n_paragraphs=n_paragraphs, n_tokens=n_tokens)
        if n_tokens > self._most_of_one:
            self._larger.add(place)
        try:
            yield place
        finally:
            self._give_back(place)
            self._count(place, n_paragraphs=-n_paragraphs)

    def fulfil(self, place: Place, flow: Flow[Any]) -> None:
        """Give back what was promised, as the request's windows will now count themselves.

        Args:
            place: of the request.
            flow: its windows, about to be queued.

        Raises:
            OverloadedError: they have more tokens than was promised, and there is no room for them.
        """
        promised = self._give_back(place)
        # What is beyond the most that counts of one request was not counted when it was promised either.
        if min(flow.cost_left, self._most_of_one) > promised:
            self.check_tokens(flow.cost_left, caller=place.caller)
        place.flow = flow
        if flow.cost_left > self._most_of_one:
            self._larger.add(place)

    def _give_back(self, place: Place) -> int:
        promised, place.n_tokens = place.n_tokens, 0
        self._count(place, n_tokens=-promised)
        return promised

    def _count_tokens(self) -> int:
        """Tokens that wait, of one request three quarters of the room at most.

        Larger ones are taken in when nothing waits. Counted whole, one would shut out everybody until most of it is
        done, though the queue serves a single paragraph next.
        """
        if not self._larger:
            return self.n_tokens
        n_beyond = sum(max(0, place.n_tokens_waiting - self._most_of_one) for place in self._larger)
        return self.n_tokens - n_beyond

    def check_tokens(self, n_tokens: int, *, caller: str, is_part: bool = False) -> None:
        """Refuse tokens that there is no room for.

        Args:
            n_tokens: of one request.
            caller: who asks.
            is_part: as in `enter`.

        Raises:
            OverloadedError: as said.
        """
        n_waiting, most = self._count_tokens(), self._max_tokens
        self._check(
            "tokens",
            n_tokens,
            n_waiting=n_waiting,
            n_own=self._queue.tokens_of(caller) + self._promised_to.get(caller, 0),
            most=most,
            caller=caller,
            is_part=is_part,
            estimate_s=lambda: self._rate.estimate_s(max(self.n_tokens + n_tokens - most, self.n_tokens // 4)),
        )

    def _check(
        self,
        what: str,
        n_new: int,
        *,
        n_waiting: int,
        n_own: int,
        most: int,
        caller: str,
        is_part: bool,
        estimate_s: Callable[[], int],
    ) -> None:
        most_at_once = most * 3 // 4
        if not has_room(n_waiting=n_waiting, n_new=n_new, most=most, is_part=is_part):
            bound = find_bound(n_new, most, is_part=is_part)
            rest = f" (of {most}, the rest is kept for requests of at most {find_most_of_small(most)})"
            raise make_overloaded(
                what,
                n_waiting=n_waiting,
                n_new=n_new,
                bound=bound,
                kept=rest if bound < most else "",
                most_at_once=most_at_once,
                retry_after_s=estimate_s(),
            )
        if caller != NOBODY and not has_own_room(n_own=n_own, n_new=n_new, most=most):
            raise make_overloaded(
                f"{what} of this API key",
                n_waiting=n_own,
                n_new=n_new,
                bound=most_at_once,
                most_at_once=most_at_once,
                retry_after_s=estimate_s(),
            )

    def _count(self, place: Place, *, n_paragraphs: int = 0, n_tokens: int = 0) -> None:
        self.n_pending += n_paragraphs
        self._promised += n_tokens
        for counted, n_more in ((self._pending_of, n_paragraphs), (self._promised_to, n_tokens)):
            n_now = counted.get(place.caller, 0) + n_more
            if n_now:
                counted[place.caller] = n_now
            else:  # a key that was revoked must not be remembered for ever
                counted.pop(place.caller, None)
