"""Owns whose turn it is among callers: each API key gets the same share, however many requests it sends at once.

Knows nothing of threads or clocks. Within one caller, turns are those of `fair_queue.py`.
"""

import heapq
from typing import Generic, TypeVar

from serving.asking import NOBODY
from serving.fair_queue import FairQueue, Flow

T = TypeVar("T")


class FairShare(Generic[T]):
    """A fair queue for each caller, and tokens in equal measure for all who wait.

    A caller's turn begins where its last one ended, or now if it had none lately; whose turn begins first is served.
    So a key that sends a thousand requests is given no more of the model than one that sends one at a time.

    Source:
        Goyal, Vin, Cheng 1996, "Start-time fair queuing", SIGCOMM; it needs no cost of what has not begun, which
        changes here as requests come and go.
    """

    def __init__(self) -> None:
        self._lines: dict[str, FairQueue[T]] = {}
        self._turns: list[tuple[int, int, str]] = []
        self._ends: dict[str, int] = {}
        self._now = 0
        self._n_turns = 0
        # A number of its own: it is read from another thread, where adding up the lines could meet a new one.
        self.tokens = 0

    def tokens_of(self, caller: str) -> int:
        """Tokens of one caller that wait."""
        line = self._lines.get(caller)
        return 0 if line is None else line.tokens

    def push(self, flow: Flow[T], caller: str = NOBODY) -> None:
        """Let a request wait.

        Args:
            flow: its windows.
            caller: who asks.
        """
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = FairQueue()
            self._wait(caller, max(self._now, self._ends.get(caller, 0)))
        line.push(flow)
        self.tokens += flow.cost_left

    def _wait(self, caller: str, begin: int) -> None:
        self._n_turns += 1  # among equals the one that has waited longest
        heapq.heappush(self._turns, (begin, self._n_turns, caller))

    def pop(self) -> tuple[T, int] | None:
        """Take the window that is due.

        Returns:
            Its owner, and its place among the windows of the owner; None when nothing waits.
        """
        while self._turns:
            begin, _, caller = heapq.heappop(self._turns)
            line = self._lines[caller]
            n_before = line.tokens
            taken = line.pop()
            if taken is None:
                del self._lines[caller]
                continue
            n_tokens = n_before - line.tokens
            self.tokens -= n_tokens
            self._now = begin
            self._ends[caller] = begin + n_tokens
            self._wait(caller, begin + n_tokens)
            return taken
        self._ends.clear()  # nobody waits, so nobody has had too much
        return None

    def drop(self, flow: Flow[T], caller: str = NOBODY) -> None:
        """Forget what has not begun of a request; twice does no harm.

        Args:
            flow: one that was pushed.
            caller: who asked.
        """
        line = self._lines.get(caller)
        if line is not None:  # else all of it has begun
            n_before = line.tokens
            line.drop(flow)
            self.tokens -= n_before - line.tokens
