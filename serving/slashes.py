"""Owns that a path of other people's clients may end in a slash: some put one behind whatever address they are given.

Paths of this service's own are taken as they are documented.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.dialects import is_of_protocol
from serving.probes import is_probe


def strip_slash(path: str) -> str:
    """Take one slash off the end of a path of a protocol, or of one that asks whether the service lives.

    Args:
        path: of a request.

    Returns:
        The path without it; another path as it is.
    """
    stripped = path[:-1]
    is_theirs = path.endswith("/") and len(stripped) > 1 and (is_of_protocol(stripped) or is_probe(stripped))
    return stripped if is_theirs else path


class TakeSlashes:
    """ASGI middleware: whoever comes after it sees the path without its last slash."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app.

        Args:
            app: what is called.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] == "http":
            # In the scope itself: who tells of the request, outside of this, looks for its route there.
            scope["path"] = strip_slash(scope["path"])
        await self._app(scope, receive, send)
