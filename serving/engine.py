"""Owns the threads on which text is tokenized and windows are run, and how much work may wait for them.

Knows nothing of HTTP or of what logits mean. A micro-batcher may take its place behind the same four verbs:
`admit`, `encode`, `run`, `stop`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from twohands.encoding import EncodedParagraph, TokenIds
from twohands.errors import EngineStoppedError, InputError, OverloadedError
from twohands.session import RunBatch
from twohands.windows import Logits, aggregate_windows

Encoded = list[EncodedParagraph | InputError]
Encode = Callable[[Sequence[object]], Encoded]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A value, how long it waited for a thread, and how long it was worked on."""

    value: T
    queue_ms: float
    work_ms: float


@dataclass(frozen=True, slots=True)
class _Span(Generic[T]):
    """What one job gave, and when it began and ended, in seconds of `time.perf_counter`."""

    value: T
    started_s: float
    ended_s: float


class Engine:
    """As many threads as the session may use, fed first come, first served.

    Each window is a job of its own, so a request of many paragraphs uses all threads, and no more than these
    ever run. Every job is answered: with its value, its error, or `EngineStoppedError`.
    """

    def __init__(self, *, encode: Encode, run_batch: RunBatch, num_threads: int, max_pending: int) -> None:
        """Make the threads; they start with the first job.

        Args:
            encode: texts to token ids, a bad text's error in its place.
            run_batch: windows to logits; called from several threads at once.
            num_threads: how many jobs run side by side.
            max_pending: most paragraphs admitted and not yet answered.
        """
        self._encode = encode
        self._run_batch = run_batch
        self._max_pending = max_pending
        self._pool = ThreadPoolExecutor(num_threads, "twohands-serve")
        self._waiters: set[asyncio.Future[Any]] = set()
        self._is_stopped = False
        self.n_pending = 0

    @contextmanager
    def admit(self, n_paragraphs: int) -> Iterator[None]:
        """Take in a request, whole or not at all; what is asked of the engine is asked within.

        Args:
            n_paragraphs: how many the request has.

        Yields:
            Nothing.

        Raises:
            EngineStoppedError: the engine is stopping.
            OverloadedError: too many paragraphs wait already.
        """
        self._check_running()
        if self.n_pending + n_paragraphs > self._max_pending:
            raise OverloadedError(
                f"{self.n_pending} paragraphs wait already and {n_paragraphs} more would pass the bound of "
                f"{self._max_pending}; try again in a moment"
            )
        self.n_pending += n_paragraphs
        try:
            yield
        finally:
            self.n_pending -= n_paragraphs

    async def encode(self, texts: Sequence[object]) -> Timed[Encoded]:
        """Tokenize off the event loop.

        Args:
            texts: raw texts, unchecked.

        Returns:
            One encoded paragraph or error for each.

        Raises:
            EngineStoppedError: the engine stopped before it was done.
        """
        asked_s = time.perf_counter()
        span = await self._submit(lambda: self._encode(texts))
        return Timed(span.value, 1e3 * (span.started_s - asked_s), 1e3 * (span.ended_s - span.started_s))

    async def run(self, paragraphs: Sequence[EncodedParagraph]) -> Timed[Logits]:
        """Run the model off the event loop.

        Args:
            paragraphs: at least one.

        Returns:
            Logits of shape `(len(paragraphs), n_labels)`.

        Raises:
            EngineStoppedError: the engine stopped before it was done.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        asked_s = time.perf_counter()
        windows = [window for paragraph in paragraphs for window in paragraph.windows]
        spans = await asyncio.gather(*(self._submit(partial(self._run_window, window)) for window in windows))
        logits = aggregate_windows(
            np.stack([span.value for span in spans]), [len(paragraph.windows) for paragraph in paragraphs]
        )
        started_s = min(span.started_s for span in spans)
        ended_s = max(span.ended_s for span in spans)
        return Timed(logits, 1e3 * (started_s - asked_s), 1e3 * (ended_s - started_s))

    def abandon(self) -> None:
        """Answer everything that waits with `EngineStoppedError`, and take in nothing more."""
        self._is_stopped = True
        for waiter in list(self._waiters):
            if not waiter.done():
                waiter.set_exception(EngineStoppedError("the service is stopping; send the request again elsewhere"))

    async def stop(self) -> None:
        """Answer everything that waits, then end the threads; what runs at this moment runs to its end."""
        self.abandon()
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _check_running(self) -> None:
        if self._is_stopped:
            raise EngineStoppedError("the service is stopping; send the request again elsewhere")

    def _run_window(self, window: TokenIds) -> Logits:
        """One window alone: shape `(n_labels,)`."""
        (row,) = self._run_batch([window])  # any other count is an error here, not a wrong answer later
        return np.asarray(row)

    def _submit(self, function: Callable[[], T]) -> asyncio.Future[_Span[T]]:
        """Queue one job; the future is answered whatever happens to the job or to the engine."""
        self._check_running()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[_Span[T]] = loop.create_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)

        def work() -> _Span[T]:
            if waiter.done():  # its caller went away, or the engine stopped: do not spend a core on it
                raise CancelledError
            started_s = time.perf_counter()
            return _Span(function(), started_s, time.perf_counter())

        def settle(job: Future[_Span[T]]) -> None:
            if waiter.done():
                return
            error = None if job.cancelled() else job.exception()
            if job.cancelled():
                waiter.cancel()
            elif error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(job.result())

        self._pool.submit(work).add_done_callback(lambda job: loop.call_soon_threadsafe(settle, job))
        return waiter
