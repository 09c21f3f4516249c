"""Owns that the database never holds up the event loop: bounded threads, and a bounded queue before them.

SQLAlchemy is loaded in such a thread at the first use, so that a service that nobody corrects starts without it.
"""

import asyncio
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast
from weakref import WeakSet

from starlette.requests import Request

from serving.corrections.address import Address, read_address
from twohands.errors import CorrectionsDisabledError, CorrectionsUnavailableError, OverloadedError

if TYPE_CHECKING:
    from serving.corrections.store import Store

_LOGGER = logging.getLogger(__name__)
_N_THREADS = 4
_MAX_HERE = 64
_MAX_COPIES = 8  # of all corrections, each for as long as its reader takes: sixty slow ones filled a disk (#5)
_PATIENCE_S = 60.0
_STOP_S = 1.0
_T = TypeVar("_T")


def _make_stopping() -> CorrectionsUnavailableError:
    return CorrectionsUnavailableError("the service is stopping", reason="stopping")


class Desk:
    """The store of corrections for an event loop."""

    def __init__(
        self, address: Address, *, max_bytes: int = sys.maxsize, tell_used: Callable[[float], object] = float
    ) -> None:
        """Open nothing yet.

        Args:
            address: where the database is.
            max_bytes: that it may hold.
            tell_used: takes which share of them it holds, whenever that is measured; from any thread.
        """
        self.address = address
        self._max_bytes = max_bytes
        self._tell_used = tell_used
        self._threads = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="corrections")
        self._n_here = 0
        self._lock = threading.Lock()  # of what is counted; the event loop takes it, so it is never held for long
        self._begun: dict[int, float] = {}  # by thread, when what it works at was begun, or last went on
        self._copies: WeakSet[BinaryIO] = WeakSet()  # those that nobody closed count until they are gone
        self._watching: asyncio.TimerHandle | None = None
        self._opening = threading.Lock()  # taken in threads only: the first of them loads SQLAlchemy
        self._store: Store | None = None

    def start(self) -> None:
        """Begin to bring a database that is there already to this version; a failure is logged, and tried again."""
        if self.address.exists:
            self._threads.submit(self._prepare)

    async def stop(self) -> None:
        """Finish what was begun, if the database answers in a moment, and let go of it."""
        if self._watching is not None:
            self._watching.cancel()
        # Nobody waits for its answers any more, but the process could not end before its threads.
        ending = asyncio.ensure_future(asyncio.to_thread(self._threads.shutdown, cancel_futures=True))
        while not (await asyncio.wait({ending}, timeout=_STOP_S))[0]:
            self._break_off(for_good=True)
        if self._store is not None:
            await asyncio.to_thread(self._store.close)

    async def run(self, work: "Callable[[Store], _T]") -> _T:
        """Do something with the store in a thread.

        Args:
            work: blocking; it goes on when the caller is cancelled.

        Returns:
            What it returns.

        Raises:
            OverloadedError: too much waits already.
            CorrectionsUnavailableError: the database cannot be used, or took longer than is waited for, since the
                work was begun or last told that it goes on.
        """
        with self._lock:
            if self._n_here >= _MAX_HERE:
                raise OverloadedError("too many corrections wait to be read or written already; try again in a moment")
            self._n_here += 1
        try:
            future = self._threads.submit(self._work, work)
        except RuntimeError as error:  # shut down
            self._leave()
            raise _make_stopping() from error
        future.add_done_callback(self._leave)
        if self._watching is None and self.address.path is None:  # on SQLite every wait has an end of its own
            self._watching = asyncio.get_running_loop().call_later(_PATIENCE_S, self._watch)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not future.cancelled() or (task is not None and task.cancelling()):
                raise
            # It was `stop` that called it off; to whoever called, nobody would answer.
            raise _make_stopping() from None

    def go_on(self) -> None:
        """Tell, from within `work`, that the database has answered: from here on it is waited for anew."""
        with self._lock:
            self._begun[threading.get_ident()] = time.monotonic()

    def open_copy(self) -> BinaryIO:
        """Open a file without a name for an answer that is too long for memory; it counts until it is closed.

        Returns:
            The file, empty.

        Raises:
            OverloadedError: as many as there may be are open already.
        """
        stream = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed by whoever sends it
        with self._lock:
            if has_room := sum(not each.closed for each in self._copies) < _MAX_COPIES:
                self._copies.add(stream)
        if not has_room:
            stream.close()
            raise OverloadedError("too many exports are being sent already; try again in a moment")
        return stream

    def _leave(self, future: "Future[_T] | None" = None) -> None:
        del future
        with self._lock:
            self._n_here -= 1

    def _watch(self) -> None:
        """Let nothing wait for longer than is fitting, whether its caller is still there or not."""
        with self._lock:
            begun_s, is_idle = min(self._begun.values(), default=None), self._n_here == 0
        waited_s = 0.0 if begun_s is None else time.monotonic() - begun_s
        if waited_s >= _PATIENCE_S:
            _LOGGER.error("corrections in %s: no end after %.0f s, broken off", self.address.describe(), waited_s)
            self._break_off()
            waited_s = 0.0
        loop = asyncio.get_running_loop()
        self._watching = None if is_idle else loop.call_later(_PATIENCE_S - waited_s, self._watch)

    def _break_off(self, *, for_good: bool = False) -> None:
        if self._store is not None:
            self._store.connections.cut(for_good=for_good)

    def _get_store(self) -> "Store":
        with self._opening:
            if self._store is None:
                from serving.corrections.room import Room  # lazy: loads SQLAlchemy
                from serving.corrections.store import Store

                self._store = Store(self.address, Room(self._max_bytes, self._tell_used))
            return self._store

    def _work(self, work: "Callable[[Store], _T]") -> _T:
        thread = threading.get_ident()
        with self._lock:
            self._begun[thread] = time.monotonic()
        try:
            return work(self._get_store())
        except CorrectionsUnavailableError as error:
            _LOGGER.error("corrections in %s: %s", self.address.describe(), error.reason)  # noqa: TRY400 - a trace would say no more
            raise
        finally:
            with self._lock:
                del self._begun[thread]

    def _prepare(self) -> None:
        try:
            before, after = self._work(lambda store: store.prepare())
        except CorrectionsUnavailableError:
            return  # logged; the next request tries again
        if before != after:
            _LOGGER.info("brought the corrections in %s from %s to %s", self.address.describe(), before, after)


def open_desk(setting: str | None, *, max_bytes: int, tell_used: Callable[[float], object]) -> Desk | None:
    """Make the desk of an app.

    Args:
        setting: as `ServeSettings.corrections` has it.
        max_bytes: as `Desk` has it.
        tell_used: likewise.

    Returns:
        The desk, or None where corrections are off.

    Raises:
        MissingExtraError: PostgreSQL without its driver.
    """
    address = read_address(setting)
    return None if address is None else Desk(address, max_bytes=max_bytes, tell_used=tell_used)


def get_desk(request: Request) -> Desk:
    """The desk of the app that a request came to.

    Args:
        request: any.

    Returns:
        The desk.

    Raises:
        CorrectionsDisabledError: it has none.
    """
    desk: Desk | None = request.app.state.corrections
    if desk is None:
        raise CorrectionsDisabledError("this service keeps no corrections: it was started with --corrections off")
    return desk
