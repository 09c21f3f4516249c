"""Owns whose window is run next. Knows nothing of threads, clocks or models.

Nothing is padded here: each window is a run of its own, so padded tokens are tokens, and no short paragraph is ever
stretched to the length of a long one.
"""

import heapq
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Flow(Generic[T]):
    """The windows of one request; `owner` is whatever the caller wants back with each of them."""

    __slots__ = ("cost_left", "costs", "is_dropped", "n_begun", "order", "owner")

    def __init__(self, owner: T, costs: Sequence[int]) -> None:
        """Say what a request will cost.

        Args:
            owner: given back by `pop`.
            costs: tokens of each window; at least one.
        """
        self.owner = owner
        self.costs = list(costs)
        # Longest first: the last run of a request on several threads is then a short one.
        self.order = sorted(range(len(costs)), key=self.costs.__getitem__, reverse=True)
        self.n_begun = 0
        self.cost_left = sum(costs)  # tokens of the windows that have not begun
        self.is_dropped = False


class FairQueue(Generic[T]):
    """Gives each waiting request an equal share of the tokens; of those that have had none the first to come is first.

    Time is counted in the tokens that a request with an equal share would have had: of a run of n tokens, with m
    requests waiting, n / m. A request's first window is due when it comes, its next when the request has had what it
    took. So one paragraph that comes behind a request of a thousand waits for one of them, not for all; single
    paragraphs are answered in the order in which they came; and since time only grows, no stream of newcomers can
    hold anybody back for ever.

    By when a window begins, not by when it would end: then the shorter passes the longer, and under load the longest
    texts wait several times as long as the others, which is what a service's 99th percentile shows.

    Source:
        Bennett and Zhang 1997, "Hierarchical packet fair queueing algorithms", IEEE/ACM ToN 5(5), whose virtual time
        this is; windows in the order of Goyal, Vin, Cheng 1996, "Start-time fair queuing", SIGCOMM.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Flow[T]]] = []
        self._now = 0.0
        self._n_pushed = 0
        self._n_waiting = 0
        # What the window given last adds to time, once it has been: who comes before that stands before the next one.
        self._spent = 0.0
        self.tokens = 0

    def push(self, flow: Flow[T]) -> None:
        """Let a request wait.

        Args:
            flow: its windows.
        """
        self.tokens += flow.cost_left
        self._n_waiting += 1
        self._wait(flow, self._now)

    def _wait(self, flow: Flow[T], due: float) -> None:
        self._n_pushed += 1  # of those due at one time the one that has waited longest
        heapq.heappush(self._heap, (due, self._n_pushed, flow))

    def pop(self) -> tuple[T, int] | None:
        """Take the window that is due.

        Returns:
            Its owner, and its place among the windows of the owner; None when nothing waits.
        """
        while self._heap:
            due, _, flow = heapq.heappop(self._heap)
            if flow.is_dropped:
                continue
            self._now = max(self._now + self._spent, due)
            index = flow.order[flow.n_begun]
            cost = flow.costs[index]
            self._spent = cost / self._n_waiting
            flow.n_begun += 1
            flow.cost_left -= cost
            self.tokens -= cost
            if flow.n_begun < len(flow.order):
                self._wait(flow, due + cost)
            else:
                self._n_waiting -= 1
            return flow.owner, index
        return None

    def drop(self, flow: Flow[T]) -> None:
        """Forget what has not begun of a request; twice does no harm.

        Args:
            flow: one that was pushed.
        """
        if not flow.is_dropped:
            flow.is_dropped = True
            self.tokens -= flow.cost_left
            self._n_waiting -= flow.n_begun < len(flow.order)
