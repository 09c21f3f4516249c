"""Owns those who wait for a thread, each of whom is answered, and the one thread on which text is read."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A value, how long it waited for a thread, and how long it was worked on."""

    value: T
    queue_ms: float
    work_ms: float


class Waiters:
    """The futures on which requests wait. All belong to one event loop."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def open(self) -> Iterator[asyncio.Future[Any]]:
        """Make a future that `answer_all` reaches as long as somebody waits for it.

        Yields:
            The future.
        """
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = self._loop.create_future()
        self._futures.add(future)
        try:
            yield future
        finally:
            self._futures.discard(future)

    def answer_all(self, make_error: Callable[[], Exception]) -> None:
        """Fail everybody who waits; on the event loop.

        Args:
            make_error: one error for each, since a raised error carries its own trace.
        """
        for future in list(self._futures):
            if not future.done():
                future.set_exception(make_error())

    def call(self, function: Callable[[], None]) -> None:
        """From a thread: do something on the event loop.

        Args:
            function: what to do.
        """
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(function)


class ReadingThread:
    """One thread for short work that needs the CPU: first come, first served."""

    def __init__(self, waiters: Waiters) -> None:
        """Make the thread; it starts with the first work.

        Args:
            waiters: where those who wait are kept.
        """
        self._waiters = waiters
        self._pool = ThreadPoolExecutor(1, "twohands-read")

    async def do(self, function: Callable[[], T]) -> Timed[T]:
        """Do something off the event loop.

        Args:
            function: what to do; work that is long comes in pieces, so that others get between.

        Returns:
            What it returned.
        """
        asked_s = time.perf_counter()

        def work() -> tuple[T, float, float]:
            started_s = time.perf_counter()
            return function(), started_s, time.perf_counter()

        with self._waiters.open() as waiter:

            def settle(done: "Future[tuple[T, float, float]]") -> None:
                if waiter.done() or done.cancelled():
                    return
                error = done.exception()
                if error is None:
                    waiter.set_result(done.result())
                else:
                    waiter.set_exception(error)

            job = self._pool.submit(work)
            job.add_done_callback(lambda done: self._waiters.call(lambda: settle(done)))
            try:
                value, started_s, ended_s = await waiter
            finally:
                job.cancel()  # its caller went away before it began: do not spend a core on it
        return Timed(value, 1e3 * (started_s - asked_s), 1e3 * (ended_s - started_s))

    def end(self) -> None:
        """Finish what runs, forget what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
