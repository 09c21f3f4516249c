"""Owns that every request is answered at the end of the service, whatever it waits for: its own body, a document.

What waits for the model the engine answers. The server would cancel all else, and answer it with words of its own.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.failures import answer_failure
from twohands.errors import EngineStoppedError

# In the state of a request's scope: what an answer that was begun ends with if it is broken off, in its own shape.
LAST_WORDS = "last_words"


class Unfinished:
    """The tasks of the requests that are being answered. All belong to one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_over = False
        # Set once the service ends: what lasts for as long as its client likes is to come to an end by itself.
        self.ending = asyncio.Event()

    def add(self, task: asyncio.Task[object]) -> None:
        """Take in a request."""
        self._tasks.add(task)

    def discard(self, task: asyncio.Task[object]) -> None:
        """Forget one that is answered."""
        self._tasks.discard(task)

    def ask_to_end(self) -> None:
        """Let what has no end of its own end where nobody is owed an answer; on the event loop."""
        self.ending.set()

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
        has_begun = has_ended = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun, has_ended
            await send(message)  # one that is broken off while it waits for room was not sent
            has_begun = True
            has_ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        self._unfinished.add(task)
        try:
            await self._app(scope, receive, send_noted)
        except asyncio.CancelledError:
            if not self._unfinished.was_broken_off(task):
                raise
            state = scope.get("state", {})
            if not has_begun:
                error = EngineStoppedError("the service stopped before this was answered; send it again elsewhere")
                response = await answer_failure(Request(scope), error)
                response.headers["connection"] = "close"
                await response(scope, receive, send)
            # Any other answer that was begun can only break off, as the server does with what ends before its end.
            elif LAST_WORDS in state and not has_ended:
                state["failure_code"] = EngineStoppedError.code
                await send({"type": "http.response.body", "body": state[LAST_WORDS], "more_body": False})
        finally:
            self._unfinished.discard(task)
