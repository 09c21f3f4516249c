"""Owns that a request never loses the model that it began with: tells the models when one begins and ends."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.models import Models


class RequestEpochs:
    """ASGI middleware: tells the models when requests begin and end, so that none loses its model under way."""

    def __init__(self, app: ASGIApp, *, models: Models) -> None:
        """Wrap an app.

        Args:
            app: what is called.
            models: who is told.
        """
        self._app = app
        self._models = models

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        epoch = self._models.request_begins()
        try:
            await self._app(scope, receive, send)
        finally:
            self._models.request_ends(epoch)
