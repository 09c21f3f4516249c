"""Owns that whatever can be asked by GET can be asked by HEAD, as RFC 9110 wants it and load balancers do."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: asks by GET for who asked by HEAD, and keeps the body back."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app.

        Args:
            app: what is called; a route of it need only know GET.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HEAD passes unchanged."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # The server goes by the method of its own scope, and so does whoever logs the request.
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send_head)
        finally:
            scope["route"] = asked.get("route")
