"""Owns how large a client's headers may be and how slowly its body may come; knows nothing of what is in them.

The time before a request's headers are complete, and that of a client which does not read its answer, is bounded
where the connection is: `connections.py`.
"""

import asyncio
import math
import time
from collections.abc import Callable
from itertools import chain

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.connections import BODY_HAS_COME, IS_TOO_MANY
from serving.failures import answer_failure
from serving.limits import awaits_continue, refuse
from serving.operations import METRICS_PATH
from serving.probes import is_probe
from twohands.errors import BodyTimeoutError, HeadersTooLargeError, TooManyConnectionsError

_MAX_HEADERS = 100
# Longer no body may take, however fast it came at first: what has come of it is held meanwhile.
LONGEST_BODY_S = 600.0
# Below this many bytes a second, waiting for a body counts against its time.
MIN_BYTES_PER_S = 500


class ClientLimits:
    """ASGI middleware: refuses connections that are too many, large headers, and bodies that trickle."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_header_bytes: int,
        body_timeout_s: float,
        streamed_paths: frozenset[str],
        is_stopping: Callable[[], bool] = bool,
        longest_body_s: float = LONGEST_BODY_S,
    ) -> None:
        """Wrap an app.

        Args:
            app: what is called within the limits.
            max_header_bytes: names and values of all headers, and the path with its query.
            body_timeout_s: longest wait for the next piece of a body, and for all of it beyond what 500 bytes a
                second take.
            streamed_paths: where a body may take for ever, as long as its next piece comes in time.
            is_stopping: whether the service stops, so that no connection should be used again.
            longest_body_s: longest wait for all of a body, or `body_timeout_s` where that is longer.
        """
        self._app = app
        self._max_header_bytes = max_header_bytes
        self._body_timeout_s = body_timeout_s
        self._longest_body_s = max(longest_body_s, body_timeout_s)
        self._streamed_paths = streamed_paths
        self._is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A flood of clients must not look like a dead service, and is seen by the metrics.
        is_answered = is_probe(scope["path"]) or scope["path"] == METRICS_PATH
        if scope.get("state", {}).get(IS_TOO_MANY) and not is_answered:
            crowd = TooManyConnectionsError("too many connections are open; close those not in use, and try again")
            await refuse(crowd, scope, receive, send, is_last=True)
            return
        # A proxy before us may see the end of this body elsewhere, and hide a request of another's in the rest.
        has_two_ends = {b"transfer-encoding", b"content-length"} <= dict(scope["headers"]).keys()
        is_waited_for = awaits_continue(scope)

        async def receive_on() -> Message:
            nonlocal is_waited_for
            is_waited_for = False  # the server asks for the body now
            return await receive()

        # The server closes connections when it stops, but tells nobody: the next request would run into the end.
        send = _end_connection(send, when=lambda: has_two_ends or is_waited_for or self._is_stopping())
        n_bytes = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        n_bytes += sum(map(len, chain.from_iterable(scope["headers"])))
        n_headers = len(scope["headers"])
        if n_bytes > self._max_header_bytes or n_headers > _MAX_HEADERS:
            error = HeadersTooLargeError(
                f"the request has {n_headers} headers, at most {_MAX_HEADERS} are read"
                if n_headers > _MAX_HEADERS
                else f"the headers and the path have {n_bytes} bytes, at most {self._max_header_bytes} are read"
            )
            await (await answer_failure(Request(scope), error))(scope, receive, send)
            return
        receive_asked = receive_on if is_waited_for else receive
        if BODY_HAS_COME not in scope.get("state", {}):
            receive_asked = self._hurry(receive_asked, is_streamed=scope["path"] in self._streamed_paths)
        await self._app(scope, receive_asked, send)

    def _hurry(self, receive: Receive, *, is_streamed: bool) -> Receive:
        n_bytes, waited_s, has_ended = 0, 0.0, False

        async def receive_in_time() -> Message:
            nonlocal n_bytes, waited_s, has_ended
            if has_ended:  # from here on it is only about whether the client is still there
                return await receive()
            # Only the time spent here counts: while the service is busy, the client waits for us.
            allowed_s, left_s = self._body_timeout_s, math.inf
            if not is_streamed:
                allowed_s += min(0.0, n_bytes / MIN_BYTES_PER_S - waited_s)
                left_s = self._longest_body_s - waited_s
            started_s = time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, min(allowed_s, left_s))):
                    message = await receive()
            except TimeoutError:
                if left_s <= allowed_s:
                    raise BodyTimeoutError(
                        f"the body took longer than {self._longest_body_s:g} s to arrive; send less in one request"
                    ) from None
                raise BodyTimeoutError(
                    f"the body came too slowly: its next piece within {self._body_timeout_s:g} s, "
                    f"and {MIN_BYTES_PER_S} bytes a second over all; send the request again"
                ) from None
            waited_s += time.monotonic() - started_s
            n_bytes += len(message.get("body", b""))
            has_ended = not message.get("more_body", False)
            return message

        return receive_in_time


def _end_connection(send: Send, *, when: Callable[[], bool]) -> Send:
    """Say with an answer that it is the last of its connection, if it is when the answer begins.

    Source:
        RFC 9112, section 6.1.
    """

    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start" and when():
            last = (b"connection", b"close")
            message["headers"] = [*(each for each in message["headers"] if each != last), last]
        await send(message)

    return send_last
