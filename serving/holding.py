"""Owns which models the requests under way got, so that none loses its model before it ends.

A context variable, and no argument of every call: it follows a request into the tasks that it starts.
"""

import asyncio
from contextvars import ContextVar, Token

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.service import Service

_Held = set[Service]
_HELD: ContextVar[_Held | None] = ContextVar("twohands_held", default=None)


class Holdings:
    """How many requests hold each model."""

    def __init__(self) -> None:
        """Let nobody hold any yet."""
        self._n_by_service: dict[Service, int] = {}
        self._request_ended = asyncio.Event()

    def begin(self) -> Token[_Held | None]:
        """Begin a request, which holds nothing yet; the token is for `end`."""
        return _HELD.set(set())

    def hold(self, service: Service) -> None:
        """Let the request in hand, if there is one, hold a model until it ends."""
        held = _HELD.get()
        if held is not None and service not in held:
            held.add(service)
            self._n_by_service[service] = self._n_by_service.get(service, 0) + 1

    def end(self, token: Token[_Held | None]) -> None:
        """End a request, within its context."""
        for service in _HELD.get() or ():
            self._n_by_service[service] -= 1
            if not self._n_by_service[service]:
                del self._n_by_service[service]
        _HELD.reset(token)
        self._request_ended.set()

    async def wait_free(self, service: Service) -> None:
        """Wait until no request holds a model."""
        while service in self._n_by_service:
            self._request_ended.clear()
            await self._request_ended.wait()


class HoldModels:
    """ASGI middleware: tells who holds models when requests begin and end."""

    def __init__(self, app: ASGIApp, *, holdings: Holdings) -> None:
        """Wrap an app.

        Args:
            app: what is called.
            holdings: of the models; they are told.
        """
        self._app = app
        self._holdings = holdings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = self._holdings.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            self._holdings.end(token)
