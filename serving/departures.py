"""Owns that a client who went away costs nothing more: what still runs for it is cancelled."""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.failures import answer_failure

# In the state of a request's scope: to be called where its connection is lost.
LOSE_CONNECTION = "lose_connection"
# There, too: the server does call it, as ours does. Behind another one a task watches for each request.
CALLS_LOSE_CONNECTION = "calls_lose_connection"


class _Connection:
    """One request's connection, watched from the end of its body on.

    Before that only who reads the body learns of a departure. Is it a task beside the request's, the request waits for
    something else meanwhile, and is cancelled as well.
    """

    def __init__(self, receive: Receive, send: Send, *, is_told: bool) -> None:
        self._receive = receive
        self._send = send
        self._is_told = is_told
        self._request_task = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self.is_gone = self.has_begun = self._is_done = self._has_whole_body = self._is_asking = False

    async def receive(self) -> Message:
        if self._watch is not None:
            await asyncio.shield(self._watch)
            return {"type": "http.disconnect"}
        self._is_asking = True
        try:
            message = await self._receive()
        finally:
            self._is_asking = False
        if message["type"] == "http.disconnect":
            if asyncio.current_task() is not self._request_task:
                self._leave()
        elif not message.get("more_body", False):
            self._has_whole_body = True
            if not self._is_told:
                self._watch = asyncio.get_running_loop().create_task(self._watch_connection())
        return message

    async def send(self, message: Message) -> None:
        self.has_begun = True
        self._is_done = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def _watch_connection(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def lose(self) -> None:
        """Leave, behind a body or amid one of which nobody asks for more yet: a stream reads on when it has answered.

        Else, before an answer begins, whoever reads the body learns of it in time.
        """
        if self.has_begun or self._has_whole_body or not self._is_asking:
            self._leave()

    def _leave(self) -> None:
        if self._request_task is not None and not self._is_done and not self.is_gone:
            self.is_gone = True
            self._request_task.cancel()

    def was_cancelled_here(self) -> bool:
        """Whether it was only the client's departure that cancelled the request, and not the server's end."""
        return self.is_gone and self._request_task is not None and self._request_task.uncancel() == 0

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        # A task that was cancelled keeps its exception, and by the frames of that this connection and all that its
        # request held. Held here, it would be a ring, which only the garbage collector takes apart (#5).
        self._watch = self._request_task = None


class CancelWhenGone:
    """ASGI middleware: cancels the request when its connection breaks.

    From the end of a body on it is told by `LOSE_CONNECTION`, or watches the connection behind a server that does not
    tell; amid a body it sees what a task beside the request's reads, and where nobody reads, or an answer has begun
    meanwhile, as streams have it, it is told as well.

    Neither FastAPI nor uvicorn does: an answer would be computed to its end and thrown away, which under overload,
    when clients give up and ask again, is most of the work.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app.

        Args:
            app: what is called; it must run in the task of its request, as all of ours does.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        connection = _Connection(receive, send, is_told=CALLS_LOSE_CONNECTION in state)
        state[LOSE_CONNECTION] = connection.lose
        try:
            await self._app(scope, connection.receive, connection.send)
        except asyncio.CancelledError:
            if not connection.was_cancelled_here():
                raise
            if not connection.has_begun:  # nobody reads it; it tells metrics and logs what became of the request
                await (await answer_failure(Request(scope), ClientDisconnect()))(scope, receive, send)
        finally:
            del state[LOSE_CONNECTION]  # else a ring as well
            connection.close()
