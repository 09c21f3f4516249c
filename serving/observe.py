"""Owns what is told of each request: one metric, one line of log, one span; never its text, its query or its key."""

import logging
import time
from collections.abc import Sequence

from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.failures import list_codes
from serving.keys import Keyring
from serving.limits import read_request_id
from serving.metrics import Metrics
from serving.operations import METRICS_PATH
from serving.probes import is_probe
from serving.tei_metrics import TeiAnswer
from serving.tracing import METHODS, NO_SPANS, Spans

_LOGGER = logging.getLogger("serving.access")
_UNROUTED = "(none)"
_REJECTIONS = {401, 403, 408, 413, 415, 429, 431, 503, 507}
# Of who hung up before the answer began: nobody reads a status, and it was no fault of the request. As nginx has it.
_HUNG_UP = 499


class Observer:
    """ASGI middleware, the outermost: gives the request its id, and tells how it went."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, spans: Spans = NO_SPANS, keyring: Keyring | None = None
    ) -> None:
        """Wrap an app.

        Args:
            app: what is observed.
            metrics: where requests are counted.
            spans: where they are traced.
            keyring: keys that are taken for no request's id.
        """
        self._app = app
        self._metrics = metrics
        self._spans = spans
        self._keyring = keyring
        for reason in list_codes(_REJECTIONS):  # a rate misses the first event of a series that begins with it
            metrics.rejected.labels(reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = read_request_id(dict(scope["headers"]), self._keyring)
        status, n_bytes_in, n_bytes_out = 500, 0, 0  # 500 is what is answered if nothing below us answers
        started_s = time.perf_counter()

        async def receive_counted() -> Message:
            nonlocal n_bytes_in
            message = await receive()
            n_bytes_in += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            nonlocal status, n_bytes_out
            if message["type"] == "http.response.start":
                status = message["status"]
            n_bytes_out += len(message.get("body", b""))
            await send(message)

        self._metrics.in_flight.inc()
        with self._spans.open(scope) as span:
            try:
                await self._app(scope, receive_counted, send_counted)
            finally:
                self._metrics.in_flight.dec()
                route = read_route(scope)
                status = _HUNG_UP if state.get("failure_code") == "client_disconnected" else status
                taken = route if route != _UNROUTED else None
                span.close(route=taken, status=status, request_id=state["request_id"])
                self._tell(scope, route, status, n_bytes_in, n_bytes_out, time.perf_counter() - started_s)

    def _tell(
        self, scope: Scope, route: str, status: int, n_bytes_in: int, n_bytes_out: int, duration_s: float
    ) -> None:
        metrics, state = self._metrics, scope["state"]
        code = state.get("failure_code")
        metrics.requests.labels(route, str(status)).inc()
        metrics.request_duration.labels(route).observe(duration_s)
        if n_bytes_in:
            metrics.request_size.labels(route).observe(n_bytes_in)
        if isinstance(answer := state.get("tei_answer"), TeiAnswer):
            metrics.tei.count_answer(answer)
        elif state.get("tei_is_counted") and status >= 400:
            metrics.tei.count_failure(status, code)
        if status in _REJECTIONS and code is not None:
            metrics.rejected.labels(code).inc()
        # Machines ask these every few seconds.
        is_routine = (route == METRICS_PATH or is_probe(route)) and status < 400
        level = logging.DEBUG if is_routine else logging.INFO
        if not _LOGGER.isEnabledFor(level):
            return
        facts = {
            "request_id": state["request_id"],
            "method": read_method(scope),
            "route": route,
            "status": status,
            "code": code,
            "key_id": state.get("key_id"),
            "duration_ms": round(1e3 * duration_s, 2),
            "n_bytes_in": n_bytes_in,
            "n_bytes_out": n_bytes_out,
        }
        told = {name: fact for name, fact in facts.items() if fact is not None}
        _LOGGER.log(level, "%(method)s %(route)s %(status)s", told, extra={"facts": told})


def read_method(scope: Scope) -> str:
    """The method, if it is one that HTTP knows; any other word is the caller's own."""
    return scope["method"] if scope["method"] in METHODS else "(other)"


def read_route(scope: Scope) -> str:
    """The template of the route that was taken; a path itself could hold anything, a text or a key among it.

    What was refused before there was a route counts under the one that its path names.
    """
    path = getattr(scope.get("route"), "path", None) or _find_route(scope)
    return path if isinstance(path, str) else _UNROUTED


def _find_route(scope: Scope) -> str | None:
    routes: Sequence[Route] = getattr(getattr(scope.get("app"), "state", None), "observed_routes", ())
    asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
    first = None
    for route in routes:
        match, _ = route.matches(asked)
        if match is Match.FULL:
            return route.path
        if match is Match.PARTIAL and first is None:  # another method, as of a browser that asks by OPTIONS
            first = route.path
    return first
