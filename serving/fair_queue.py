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

    __slots__ = ("costs", "is_dropped", "n_begun", "order", "owner")

    def __init__(self, owner: T, costs: Sequence[int]) -> None:
        """Say what a request will cost.

        Args:
            owner: given back by `pop`.
            costs: tokens of each window; at least one.
        """
        self.owner = owner
        self.costs = list(costs)
        # Longest first: the last run of a request on several threads is then a short one.
        self.order = sorted(range(len(costs)), key=lambda index: -costs[index])
        self.n_begun = 0
        self.is_dropped = False

    @property
    def cost_left(self) -> int:
        """Tokens of the windows that have not begun."""
        return sum(self.costs[index] for index in self.order[self.n_begun :])

    @property
    def next_cost(self) -> int:
        """Tokens of the window that comes next."""
        return self.costs[self.order[self.n_begun]]


class FairQueue(Generic[T]):
    """Gives each waiting request an equal share of the tokens, and serves the shortest first among equals.

    A window is due when its request's earlier windows and itself have had their turn: `tag = max(now, last tag) +
    tokens`, where `now` is the tag served last. So one paragraph that arrives behind a request of a thousand waits
    for one of them, not for all; a short one passes a long one that came with it; and since `now` only grows, no
    stream of newcomers can hold anybody back for ever.

    Source:
        Golestani 1994, "A self-clocked fair queueing scheme for broadband applications", INFOCOM.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Flow[T]]] = []
        self._now = 0
        self._n_pushed = 0
        self.tokens = 0

    def push(self, flow: Flow[T]) -> None:
        """Let a request wait.

        Args:
            flow: its windows.
        """
        self.tokens += flow.cost_left
        self._wait(flow)

    def _wait(self, flow: Flow[T]) -> None:
        self._n_pushed += 1  # among equal tags the one that has waited longest
        heapq.heappush(self._heap, (self._now + flow.next_cost, self._n_pushed, flow))

    def pop(self) -> tuple[T, int] | None:
        """Take the window that is due.

        Returns:
            Its owner, and its place among the windows of the owner; None when nothing waits.
        """
        while self._heap:
            tag, _, flow = heapq.heappop(self._heap)
            if flow.is_dropped:
                continue
            self._now = tag
            index = flow.order[flow.n_begun]
            flow.n_begun += 1
            self.tokens -= flow.costs[index]
            if flow.n_begun < len(flow.order):
                self._wait(flow)
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
