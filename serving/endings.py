"""Owns that every request is answered at the end of the service, whatever it waits for: its own body, a document.

What waits for the model the engine answers. The server would cancel all else, and answer it with words of its own.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.failures import answer_failure
from twohands.errors import EngineStoppedError


class Unfinished:
    """The tasks of the requests that are being answered. All belong to one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_over = False

    def add(self, task: asyncio.Task[object]) -> None:
        """Take in a request."""
        self._tasks.add(task)

    def discard(self, task: asyncio.Task[object]) -> None:
        """Forget one that is answered."""
        self._tasks.discard(task)

    def break_off(self) -> None:
        """Cancel all; on the event loop."""
        self._is_over = True
        for task in self._tasks:
            task.cancel()

    def was_broken_off(self, task: asyncio.Task[object]) -> bool:
        """Whether it was only this that cancelled a request."""
        return self._is_over and task.uncancel() == 0


class AnswerAtTheEnd:
    """ASGI middleware: answers with `EngineStoppedError` what is broken off."""

    def __init__(self, app: ASGIApp, *, unfinished: Unfinished) -> None:
        """Wrap an app.

        Args:
            app: what is called.
            unfinished: where its requests are kept.
        """
        self._app = app
        self._unfinished = unfinished

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        task = asyncio.current_task()
        if scope["type"] != "http" or task is None:
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        self._unfinished.add(task)
        try:
            await self._app(scope, receive, send_noted)
        except asyncio.CancelledError:
            # An answer that was begun can only break off, as the server does with what ends before its end.
            if not self._unfinished.was_broken_off(task):
                raise
            if not has_begun:
                error = EngineStoppedError("the service stopped before this was answered; send it again elsewhere")
                response = await answer_failure(Request(scope), error)
                response.headers["connection"] = "close"
                await response(scope, receive, send)
        finally:
            self._unfinished.discard(task)
