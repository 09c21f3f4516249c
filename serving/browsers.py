"""Owns what browsers need: security headers on every answer, and which other sites' pages may call the service.

No site may unless it is named. A request that a page of another site sends is refused before it costs anything,
also where the browser would have kept the answer from that page anyway.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.failures import REQUEST_ID_HEADER, SECURITY_HEADERS
from serving.limits import refuse
from twohands.errors import ForbiddenError

_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, POST, PATCH, DELETE",
    # Hugging Face's client for JavaScript sets `user-agent`: Firefox then asks for it, and without leave sends nothing.
    "access-control-allow-headers": "authorization, content-type, x-api-key, inference-header-content-length, "
    f"traceparent, tracestate, user-agent, {REQUEST_ID_HEADER}",
    "access-control-max-age": "600",
}
# What answers tell beside their bodies, by any protocol.
_EXPOSED = (
    "retry-after, server-timing, content-disposition, inference-header-content-length, x-compute-characters, "
    "x-compute-time, x-compute-tokens, x-compute-type, x-head, x-inference-time, x-model-sha256, x-queue-time, "
    f"x-tokenization-time, x-total-time, {REQUEST_ID_HEADER}"
)


class BrowserRules:
    """ASGI middleware: security headers and CORS."""

    def __init__(self, app: ASGIApp, *, cors_origins: tuple[str, ...]) -> None:
        """Wrap an app.

        Args:
            app: what is called within the rules.
            cors_origins: sites whose pages may call, each `scheme://host[:port]`, compared as they stand.
        """
        self._app = app
        self._origins = frozenset(cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        is_listed = origin in self._origins

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = dict(message["headers"])
                message["headers"] = [*message["headers"], *(each for each in _SECURITY if each[0] not in given)]
                if self._origins:
                    self._tell_site(MutableHeaders(scope=message), origin if is_listed else None)
            await send(message)

        if origin is not None and not is_listed and not _is_own(origin, Headers(scope=scope).get("host", "")):
            error = ForbiddenError("pages of this origin may not call the service; --cors-origin names those that may")
            await refuse(error, scope, receive, send_with_headers)
        elif is_listed and scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            await Response(status_code=204, headers=_PREFLIGHT_HEADERS)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    @staticmethod
    def _tell_site(answered: MutableHeaders, origin: str | None) -> None:
        """Say that an answer hangs on the site, and to a page of a named one that it may read it."""
        answered.add_vary_header("origin")
        if origin is not None:
            answered["access-control-allow-origin"] = origin
            answered["access-control-expose-headers"] = _EXPOSED
            answered["cross-origin-resource-policy"] = "cross-origin"


def _is_own(origin: str, host: str) -> bool:
    """Whether a page of the service itself asks; the scheme is left out, since a proxy may end TLS before us."""
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
