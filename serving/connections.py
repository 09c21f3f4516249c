"""Owns how many connections are open, and how long one may hold a socket without a request or a reader.

uvicorn bounds only the pause between two requests: a client that sends half a request line, or never reads, would
keep its connection for ever.
"""

import asyncio
import resource
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_TIMEOUT_S = 15.0
WRITE_TIMEOUT_S = 60.0
# Those beyond the bound get an answer that says so, and for that a connection of their own; beyond these, none.
N_REFUSED_AT_ONCE = 100
_REFUSED_HEADER_TIMEOUT_S = 3.0
# In the state of a request's scope: the connection is one too many.
IS_TOO_MANY = "is_one_too_many"


class TimedConnection(H11Protocol):
    """uvicorn's connection, cut when it stalls before a request or before reading an answer."""

    header_timeout_s = HEADER_TIMEOUT_S
    write_timeout_s = WRITE_TIMEOUT_S
    max_connections = sys.maxsize

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as uvicorn makes it
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        n_open = len(self.connections)
        if n_open > self.max_connections + N_REFUSED_AT_ONCE:
            transport.abort()
            return
        if n_open > self.max_connections:
            self.app_state = self.app_state | {IS_TOO_MANY: True}
            self.header_timeout_s = min(self.header_timeout_s, _REFUSED_HEADER_TIMEOUT_S)
        self._watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._header_timer = self._cancel(self._header_timer)
        self._write_timer = self._cancel(self._write_timer)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Read on; bytes alone buy no more time, only a whole request does."""
        super().handle_events()
        self._watch_header()

    def pause_writing(self) -> None:
        """The client's buffer is full: it has this long to read some of it."""
        super().pause_writing()
        if self._write_timer is None and self.transport is not None:
            self._write_timer = self.loop.call_later(self.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        self._write_timer = self._cancel(self._write_timer)
        super().resume_writing()

    def _watch_header(self) -> None:
        is_between = self.conn.their_state is h11.IDLE and not self.transport.is_closing()
        # Between two requests uvicorn's own timer runs, until the first byte of the next one cancels it.
        if is_between and self.timeout_keep_alive_task is None:
            if self._header_timer is None:
                self._header_timer = self.loop.call_later(self.header_timeout_s, self.transport.abort)
        else:
            self._header_timer = self._cancel(self._header_timer)

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def bound_connections(max_connections: int) -> type[TimedConnection]:
    """Make the class that uvicorn makes connections of, with a bound.

    Args:
        max_connections: those that are served at once.

    Returns:
        For uvicorn's `http`.
    """
    return type("BoundedConnection", (TimedConnection,), {"max_connections": max_connections})


def allow_open_files(max_connections: int) -> None:
    """Raise this process's bound on open files, where it is lower than its connections need and may be raised.

    Args:
        max_connections: each is an open file.
    """
    wanted = max_connections + N_REFUSED_AT_ONCE + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
