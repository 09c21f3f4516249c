"""Owns how many connections are open, and how long one may hold a socket without a request or a reader.

uvicorn bounds only the pause between two requests: a client that sends half a request line, goes on with a body after
its answer, or never reads, would keep its connection for ever.
"""

import asyncio
import contextlib
import logging
import select
import socket
import sys
from http import HTTPStatus
from typing import Any

import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.departures import CALLS_LOSE_CONNECTION, LOSE_CONNECTION
from serving.failures import shape_failure
from serving.limits import make_request_id
from serving.request_lines import LenientConnection
from serving.telling import SparseTelling
from twohands.errors import HeadersTooLargeError

_LOGGER = logging.getLogger(__name__)

HEADER_TIMEOUT_S = 15.0
WRITE_TIMEOUT_S = 60.0
# Those beyond the bound get an answer that says so, and for that a connection of their own; beyond these, none.
N_REFUSED_AT_ONCE = 100
# Those of nobody who asks make room for others beyond the bound, but not what a client may be about to use.
LEAST_IDLE_S = 5.0
_REFUSED_HEADER_TIMEOUT_S = 3.0
# How often it is looked whether a client is still there of whose body nothing is read for the moment.
LOOK_S = 1.0
# What has come is read in one go, each chunk of a body by itself: of chunks of one byte the 256 kB that asyncio takes
# at once held the event loop for half a second, and probes with it (#5).
READ_BYTES = 8192
# In the state of a request's scope: the connection is one too many.
IS_TOO_MANY = "is_one_too_many"
# There, too: nothing of the body is waited for.
BODY_HAS_COME = "body_has_come"


def _has_left(connection: socket.socket) -> bool:
    """Whether the other side has closed, though bytes may wait to be read before its end is.

    One that closed only its sending side counts, too, as it does wherever that end is read. Where the system has no
    such question (Linux alone tells of an end behind unread bytes) at most a broken connection is seen.
    """
    if not hasattr(select, "poll"):
        return False
    asked = select.poll()
    asked.register(connection.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(asked.poll(0))


class TimedConnection(H11Protocol):
    """uvicorn's connection, cut when it stalls before a request, behind its answer or before reading it."""

    header_timeout_s = HEADER_TIMEOUT_S
    write_timeout_s = WRITE_TIMEOUT_S
    least_idle_s = LEAST_IDLE_S
    look_s = LOOK_S
    max_connections = sys.maxsize
    max_refused = N_REFUSED_AT_ONCE
    telling = SparseTelling()  # of what is no HTTP, which needs no key and of which a client can send any amount

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as uvicorn makes it
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        most = self.config.h11_max_incomplete_event_size
        self.conn = LenientConnection(h11.SERVER) if most is None else LenientConnection(h11.SERVER, most)
        self.app_state = self.app_state | {CALLS_LOSE_CONNECTION: True}
        self._header_timer: asyncio.TimerHandle | None = None
        # Of their side: IDLE before a request, SEND_BODY behind its answer; None while nothing is asked of them.
        self._waits_in: object = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # of asyncio's own, on which `loop` is set
        # asyncio does so for sockets whose protocol number is known, which of a listener that it was given it is not:
        # a body would then wait for the client to acknowledge its headers, 40 ms on every connection that is kept.
        with contextlib.suppress(OSError):  # macOS refuses it for a client that has gone already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        n_open = len(self.connections)
        # More than one where there were probes beyond the bound, which are answered and kept.
        while n_open > self.max_connections and self._close_longest_idle():
            n_open -= 1
        if n_open > self.max_connections + self.max_refused:
            transport.abort()
            return
        if n_open > self.max_connections:
            self.app_state = self.app_state | {IS_TOO_MANY: True}
            self.header_timeout_s = min(self.header_timeout_s, _REFUSED_HEADER_TIMEOUT_S)
        self._watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, and tell a request that reads no more of its body."""
        self._header_timer = self._cancel(self._header_timer)
        self._write_timer = self._cancel(self._write_timer)
        self._look_timer = self._cancel(self._look_timer)
        super().connection_lost(exc)
        if self.cycle is not None and not self.cycle.response_complete:
            lose = self.cycle.scope["state"].get(LOSE_CONNECTION)
            if lose is not None:
                lose()

    def handle_events(self) -> None:
        """Read on; bytes alone buy no more time, only a whole request does."""
        if IS_TOO_MANY in self.app_state and len(self.connections) <= self.max_connections:
            # It came amid a crowd that is gone, and was kept for its probes: what it asks from here on is served (#7).
            del self.app_state[IS_TOO_MANY], self.header_timeout_s
        super().handle_events()
        if self.cycle is not None and not self.cycle.more_body:  # its task has not begun if the body came at once
            self.cycle.scope["state"][BODY_HAS_COME] = True
            # uvicorn reads no more while much of a body waits to be taken, and goes on when it is asked for more: of a
            # whole one nobody asks, and that the client left would not be heard (#4). A request behind it waits on.
            if not self.cycle.response_complete and not self.conn.trailing_data[0]:
                self.flow.resume_reading()
        self._watch_header()
        self._watch_pause()

    def on_response_complete(self) -> None:
        """What comes of the body from here on is read by nobody, and what was written must be read in time."""
        super().on_response_complete()
        self._watch_header()
        self._watch_end()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more is asked: close, once all is read."""
        super().timeout_keep_alive_handler()
        self._watch_end()

    def _unsupported_upgrade_warning(self) -> None:
        """Answer as if nobody had asked: clients of HTTP/2 ask with each first request, and no log should tell it."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request in our own words; uvicorn calls it while it handles h11's error."""
        del msg
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:  # an answer is under way: it can only break off
            self.transport.abort()
            return
        hint = getattr(sys.exc_info()[1], "error_status_hint", 400)
        error: Exception = HTTPException(hint if hint == 501 else 400)
        if hint == 431:
            most = self.config.h11_max_incomplete_event_size
            error = HeadersTooLargeError(f"the headers and the path have more than the {most} bytes that are read")
        request_id = make_request_id()
        response = shape_failure(error, request_id)
        status = response.status_code
        if (n_untold := self.telling.count()) is not None:
            facts = {"request_id": request_id, "status": status} | ({"n_untold": n_untold} if n_untold else {})
            _LOGGER.warning("what is no HTTP was refused with %(status)s", facts, extra={"facts": facts})
        # The date is among the server's own headers.
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        answer = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
        for event in (answer, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            # Its body broke before its task ran: that would answer, too, and the failure be told as one of the service.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._watch_end()

    def pause_writing(self) -> None:
        """The client's buffer is full: it has this long to read some of it."""
        super().pause_writing()
        if self._write_timer is None and self.transport is not None:
            self._write_timer = self.loop.call_later(self.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        if not self.transport.is_closing():  # else what is left must be read in time too
            self._write_timer = self._cancel(self._write_timer)
        super().resume_writing()

    def _close_longest_idle(self) -> bool:
        """Close the connection on which nothing was asked for longest; whether there is one."""
        latest_end_s = self.loop.time() + self.timeout_keep_alive - self.least_idle_s
        found: TimedConnection | None = None
        for each in self.connections:
            if not isinstance(each, TimedConnection):  # uvicorn's set is of all kinds; here is one
                continue
            ends_s = each.find_idle_end()
            if ends_s is not None and ends_s <= latest_end_s:
                found, latest_end_s = each, ends_s
        if found is not None:
            found.timeout_keep_alive_handler()
        return found is not None

    def find_idle_end(self) -> float | None:
        """When this connection is closed if nothing more is asked, by the clock of its loop; None if it is not idle."""
        task = self.timeout_keep_alive_task
        is_read = not (self.transport.is_closing() or self.transport.get_write_buffer_size())
        return task.when() if task is not None and is_read else None

    def _watch_header(self) -> None:
        state = self.conn.their_state
        # Between two requests uvicorn's own timer runs, until the first byte of the next one cancels it.
        is_between = state is h11.IDLE and self.timeout_keep_alive_task is None
        is_behind_answer = state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        waits_in = state if (is_between or is_behind_answer) and not self.transport.is_closing() else None
        if waits_in is self._waits_in and self._header_timer is not None:
            return
        self._waits_in, self._header_timer = waits_in, self._cancel(self._header_timer)
        if waits_in is not None:
            self._header_timer = self.loop.call_later(self.header_timeout_s, self.transport.abort)

    def _watch_pause(self) -> None:
        """While nothing of a body is read, its end is not either: a stream whose client left would work on (#7)."""
        if self._look_timer is None and self._is_paused_amid_body():
            self._look_timer = self.loop.call_later(self.look_s, self._look)

    def _look(self) -> None:
        self._look_timer = None
        # Behind a whole body reading may wait for another request, whose answer is still owed.
        if self._is_paused_amid_body() and _has_left(self.transport.get_extra_info("socket")):
            self.transport.abort()
        else:
            self._watch_pause()

    def _is_paused_amid_body(self) -> bool:
        is_amid = self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete
        return is_amid and self.flow.read_paused

    def _watch_end(self) -> None:
        """A connection that is closed stays open until all is read: not for ever, however little it is."""
        if self._write_timer is None and self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._write_timer = self.loop.call_later(self.write_timeout_s, self.transport.abort)

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def bound_connections(max_connections: int, max_refused: int = N_REFUSED_AT_ONCE) -> type[TimedConnection]:
    """Make the class that uvicorn makes connections of, with a bound.

    Args:
        max_connections: those that are served at once.
        max_refused: those beyond them that are told so at once.

    Returns:
        For uvicorn's `http`.
    """
    bounds = {"max_connections": max_connections, "max_refused": max_refused, "telling": SparseTelling()}
    return type("BoundedConnection", (TimedConnection,), bounds)
