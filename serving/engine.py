"""Owns the threads on which windows are run, and the life of what was admitted to them.

Knows nothing of HTTP or of what logits mean. The way of a request is `admit`, `aside` (tokenize), `run`.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from serving.admission import Admission, Place
from serving.asking import NOBODY
from serving.backpressure import DrainRate
from serving.fair_queue import Flow
from serving.fair_share import FairShare
from serving.waiting import ReadingThread, Timed, Waiters
from twohands.encoding import EncodedParagraph, TokenIds
from twohands.errors import DeadlineError, EngineStoppedError
from twohands.session import RunBatch
from twohands.windows import Logits, aggregate_windows

_LOGGER = logging.getLogger(__name__)
_STOPPING = "the service is stopping; send the request again elsewhere"
_DEAD = "a worker of the service died; it must be started again"
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Job:
    """One request in the queue: its windows, and what is known of them so far."""

    windows: list[TokenIds]
    result: "asyncio.Future[Logits]"
    deadline_s: float
    rows: list[Logits | None]
    n_left: int
    started_s: float = 0.0
    ended_s: float = 0.0


_Taken = tuple[_Job, int]  # a request, and which of its windows


class Engine:
    """As many runners as the session may use, fed from one fair queue.

    By ONNX Runtime each window is run alone: on the CPU this costs next to nothing against batches of equal length and
    far less than batches of mixed length, and with dynamic int8 a neighbour in the batch would change the scores. Where
    the session is faster with several windows, a runner takes as many of those that wait, in their order of turn, and
    the session puts together which are nearly of one length. Greedy: a runner takes what is next the moment it is
    free, there is no timer, and idle runners sleep. Every admitted request is answered: with its logits, its own
    error, `DeadlineError` or `EngineStoppedError`.
    """

    def __init__(
        self,
        *,
        run_batch: RunBatch,
        num_threads: int,
        max_pending: int,
        max_queue_tokens: int,
        timeout_s: float,
        most_windows: int = 1,
    ) -> None:
        """Start the runners.

        Args:
            run_batch: windows to logits; called from several threads at once, with `most_windows` each at most.
            num_threads: how many windows run side by side. Text is tokenized on one thread more, so that a full
                queue is noticed at once.
            max_pending: most paragraphs admitted and not yet answered.
            max_queue_tokens: most tokens that wait to be run.
            timeout_s: how long a request may wait and run.
            most_windows: how many windows one runner takes at once.
        """
        self._run_batch = run_batch
        self._timeout_s = timeout_s
        self._most_windows = most_windows
        self._n_idle = 0  # runners that sleep; guarded as the queue is
        self._waiters = Waiters()
        self._reader, self._slow_reader = ReadingThread(self._waiters), ReadingThread(self._waiters)
        self._queue: FairShare[_Job] = FairShare()
        self._has_work = threading.Condition()  # guards the queue and the jobs in it
        self._is_stopped = self._is_dead = self._are_runners_ended = False
        self.rate = DrainRate(num_threads)
        self._admission = Admission(self._queue, self.rate, max_pending=max_pending, max_queue_tokens=max_queue_tokens)
        self._runners = [
            threading.Thread(target=self._live, name=f"twohands-run-{number}", daemon=True)
            for number in range(num_threads)
        ]
        for runner in self._runners:
            runner.start()

    @property
    def queue_tokens(self) -> int:
        """Tokens that wait to be run, and those promised to texts that are being read."""
        return self._admission.n_tokens

    @property
    def n_pending(self) -> int:
        """Paragraphs admitted and not yet answered."""
        return self._admission.n_pending

    @property
    def is_dead(self) -> bool:
        """Whether a runner died: this process will answer nothing any more."""
        return self._is_dead

    def check_alive(self) -> None:
        """Refuse when nothing can be answered any more.

        Raises:
            EngineStoppedError: the engine is stopping, or a runner died.
        """
        if self._is_dead or self._is_stopped:
            raise EngineStoppedError(_DEAD if self._is_dead else _STOPPING)

    def admit(
        self, n_paragraphs: int, *, n_tokens: int = 1, caller: str = NOBODY, is_part: bool = False
    ) -> AbstractContextManager[Place]:
        """Take in a request before its text is read, whole or not at all; what is asked is asked within.

        Args:
            n_paragraphs: how many the request has.
            n_tokens: what they will cost, by estimate.
            caller: who asks; callers share the model equally.
            is_part: it is a later part of something long.

        Returns:
            What gives its place, for `run`, and takes it back at the end; to enter it raises `OverloadedError` where
            too many paragraphs or tokens wait already.

        Raises:
            EngineStoppedError: the engine is stopping, or a runner died.
        """
        self.check_alive()
        return self._admission.enter(n_paragraphs, n_tokens=n_tokens, caller=caller, is_part=is_part)

    async def aside(self, function: Callable[[], T], *, is_slow: bool = False) -> Timed[T]:
        """Do something that needs the CPU off the event loop, such as tokenizing; long work comes in short pieces.

        Args:
            function: what to do.
            is_slow: wait in line with other slow work, not with the short pieces.

        Returns:
            What it returned.

        Raises:
            EngineStoppedError: the engine stopped before it was done.
        """
        self.check_alive()
        return await (self._slow_reader if is_slow else self._reader).do(function)

    async def run(
        self, paragraphs: Sequence[EncodedParagraph], *, deadline_s: float | None = None, place: Place | None = None
    ) -> Timed[Logits]:
        """Run the model off the event loop.

        A caller that is cancelled costs no more than what runs at that moment.

        Args:
            paragraphs: at least one.
            deadline_s: by the clock of the event loop; None for the engine's own time from now.
            place: where the request was admitted; what was promised there is not refused any more.

        Returns:
            Logits of shape `(len(paragraphs), n_labels)`.

        Raises:
            OverloadedError: too many tokens wait already; nothing was run.
            DeadlineError: it took too long; what had not begun never runs.
            EngineStoppedError: the engine stopped before it was done.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        self.check_alive()
        asked_s = time.monotonic()  # the clock of the event loop too
        deadline_s = asked_s + self._timeout_s if deadline_s is None else deadline_s
        windows = [window for paragraph in paragraphs for window in paragraph.windows]
        with self._waiters.open() as result:
            job = _Job(windows, result, deadline_s, [None] * len(windows), len(windows))
            flow = Flow(job, [len(window) for window in windows])
            place = place or Place()
            self._admission.fulfil(place, flow)
            with self._has_work:
                self._queue.push(flow, place.caller)
                self._has_work.notify(len(windows))
            # Not by `within`: here there is one future to fail, and no task to cancel.
            timer = asyncio.get_running_loop().call_at(deadline_s, self._expire, result)
            try:
                rows = await result
            finally:
                timer.cancel()
                with self._has_work:
                    self._queue.drop(flow, place.caller)
        logits = aggregate_windows(rows, [len(paragraph.windows) for paragraph in paragraphs])
        return Timed(logits, 1e3 * (job.started_s - asked_s), 1e3 * (job.ended_s - job.started_s))

    @asynccontextmanager
    async def within(self, deadline_s: float) -> AsyncIterator[None]:
        """Cancel what is done within once a request's time is over.

        Args:
            deadline_s: by the clock of the event loop.

        Yields:
            Nothing.

        Raises:
            DeadlineError: it took too long.
        """
        try:
            async with asyncio.timeout_at(deadline_s) as timer:
                yield
        except TimeoutError:
            if not timer.expired():  # the model's own
                raise
            raise self.make_deadline_error() from None

    def _expire(self, result: "asyncio.Future[Logits]") -> None:
        if not result.done():
            result.set_exception(self.make_deadline_error())

    def make_deadline_error(self) -> DeadlineError:
        """Say that a request took too long, and when the queue should be shorter."""
        retry_after_s = self.rate.estimate_s(self.queue_tokens)
        return DeadlineError(
            f"not answered within {self._timeout_s:g} s, the longest that a request may take; send less at once, or "
            f"try again in {retry_after_s} s",
            retry_after_s=retry_after_s,
        )

    def abandon(self) -> None:
        """Answer everything that waits with `EngineStoppedError`, and take in nothing more."""
        self._is_stopped = True
        self._waiters.answer_all(lambda: EngineStoppedError(_STOPPING))

    async def stop(self) -> None:
        """Answer everything that waits, then end the threads; what runs at this moment runs to its end."""
        self.abandon()
        with self._has_work:
            self._are_runners_ended = True
            self._has_work.notify_all()
        for reader in (self._reader, self._slow_reader):
            await asyncio.to_thread(reader.end)
        for runner in self._runners:
            await asyncio.to_thread(runner.join)

    def _live(self) -> None:
        """A runner's life. If it ends before its time nobody may wait for it: fail at once, and be seen to."""
        try:
            while (taken := self._take()) is not None:
                self._run(taken)
        except BaseException as error:  # noqa: BLE001 - whatever ends a runner must show in /readyz, not in a hang
            _LOGGER.critical("a runner died of %s; nothing more can be answered", type(error).__name__)
            self._is_dead = True
            self._waiters.call(lambda: self._waiters.answer_all(lambda: EngineStoppedError(_DEAD)))

    def _take(self) -> list[_Taken] | None:
        """Sleep until there are windows to run; None when the engine ends."""
        with self._has_work:
            while not self._are_runners_ended and not self._is_dead:
                # What runners that sleep were woken for is left to them.
                n_tokens = -(-self._queue.tokens // (1 + self._n_idle))
                if taken := self._pop(n_tokens):
                    return taken
                self._n_idle += 1
                self._has_work.wait()
                self._n_idle -= 1
            return None

    def _pop(self, n_tokens: int) -> list[_Taken]:
        """Take the windows that are due: one at least if any waits, and no more once they have so many tokens."""
        taken: list[_Taken] = []
        while len(taken) < self._most_windows and (not taken or n_tokens > 0):
            due = self._queue.pop()
            if due is None:
                break
            if not due[0].result.done():
                taken.append(due)
                n_tokens -= len(due[0].windows[due[1]])
        return taken

    def _run(self, taken: list[_Taken]) -> None:
        """Run windows, and answer each request whose last one is among them."""
        started_s = time.monotonic()
        due = [(job, index) for job, index in taken if started_s < job.deadline_s]
        for job, _ in taken:
            if started_s >= job.deadline_s:  # its timer may be late; the session's time must not be spent on it
                self._fail(job, self.make_deadline_error())
        if not due:
            return
        windows = [job.windows[index] for job, index in due]
        try:
            # Any other count is an error here, not a wrong answer later.
            rows = [row for _, row in zip(windows, self._run_batch(windows), strict=True)]
        except Exception as error:  # noqa: BLE001 - a runner must outlive any bad batch
            if len(due) == 1:
                self._fail(due[0][0], error)
            else:  # only who asks for what fails is to fail
                for one in due:
                    self._run([one])
            return
        ended_s = time.monotonic()
        self.rate.note(sum(map(len, windows)), ended_s - started_s)
        for (job, index), row in zip(due, rows, strict=True):
            self._give(job, index, np.asarray(row), started_s=started_s, ended_s=ended_s)

    def _give(self, job: _Job, index: int, row: Logits, *, started_s: float, ended_s: float) -> None:
        """Note one row, and answer the request if it was the last."""
        with self._has_work:
            job.rows[index] = row
            job.n_left -= 1
            job.started_s = min(started_s, job.started_s or started_s)
            job.ended_s = max(ended_s, job.ended_s)
            is_last = job.n_left == 0
        if is_last:
            logits = np.array([row for row in job.rows if row is not None])
            self._waiters.call(lambda: None if job.result.done() else job.result.set_result(logits))

    def _fail(self, job: _Job, error: Exception) -> None:
        self._waiters.call(lambda: None if job.result.done() else job.result.set_exception(error))
