"""Owns who may ask: API keys and how often each may, and what needs no key. Knows nothing of models or texts."""

import base64
import ipaddress
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.asking import asking
from serving.keys import ApiKey, Keyring
from serving.limits import refuse
from serving.probes import is_probe
from serving.rates import RateLimiter, whole_seconds
from twohands.errors import ForbiddenError, RateLimitedError, TwoHandsError, UnauthorizedError

# Beside what tells that the service lives, and the page's own files; what the page asks with them needs the key.
_OPEN_PATHS = frozenset({"/", "/v2"})
_OPEN_PREFIX = "/page/"
# Label Studio registers it by itself and sends no credentials; it does nothing.
WEBHOOK_PATH = "/label-studio/webhook"
ADMIN_PREFIX = "/admin/"
CORRECTIONS_PREFIX = "/v1/corrections"
_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
# Of these each says that a proxy came between, which is on this machine where its client may not be.
_FORWARDING = ("x-forwarded-", "x-real-ip", "forwarded", "via")


def is_open(method: str, path: str) -> bool:
    """Whether a request needs no key; one to a route that somebody adds later does until it is named here.

    Args:
        method: in capitals.
        path: or the template of one.

    Returns:
        Whether it is answered without.
    """
    if method == "POST":
        return path == WEBHOOK_PATH
    return method in {"GET", "HEAD"} and (path in _OPEN_PATHS or path.startswith(_OPEN_PREFIX) or is_probe(path))


def describe_keys(document: dict[str, Any]) -> None:
    """Write into an OpenAPI document which routes need a key, and where it goes.

    Args:
        document: changed in place.
    """
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "any user name; the key is the password"},
        "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not is_open(method.upper(), path):
                operation["security"] = [{"bearer": []}, {"basic": []}, {"header": []}]
                refusal = {"description": "No API key, or an unknown one"}
                operation["responses"].setdefault("401", refusal)
                operation["responses"].setdefault("429", {"description": "This key, or all together, ask too much"})


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only, or a client's is one of this machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    # What listens on `::` sees clients of version 4 so: as `::ffff:127.0.0.1`.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def read_presented_keys(headers: Headers) -> list[str]:
    """What may be the key of a request: what follows `Bearer`, or the password of `Basic`, and `X-API-Key`.

    Label Studio can send a backend nothing but a user name and a password. And where there are both headers, the first
    may be for a proxy on the way, which a browser sends with all that the page asks, or a token that the Hub's client
    found stored.
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    by_scheme = {"bearer": credentials.strip(), "basic": _read_password(credentials)}
    return [key for key in (by_scheme.get(scheme.lower()), headers.get("x-api-key")) if key]


def _read_password(credentials: str) -> str | None:
    """The password of `Basic` credentials (RFC 7617), or None where they are not what they should be."""
    try:
        user_pass = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
    except ValueError:  # of base64 and of UTF-8 alike
        return None
    return user_pass.partition(":")[2] or None


class AccessControl:
    """ASGI middleware: lets in who has a key, as often as the key may."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keyring: Keyring | None,
        requests_per_minute: int,
        limiter: RateLimiter,
        is_guarded_elsewhere: bool = False,
    ) -> None:
        """Wrap an app.

        Args:
            app: what is called by those who may.
            keyring: the keys; None asks for none.
            requests_per_minute: of each key that has no bound of its own.
            limiter: counts each key's requests.
            is_guarded_elsewhere: without keys, what people saved is given out under any name of this machine.
        """
        self._app = app
        self._keyring = keyring
        self._requests_per_minute = requests_per_minute
        self._limiter = limiter
        self._is_guarded_elsewhere = is_guarded_elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._check(scope)
        except TwoHandsError as error:
            await refuse(error, scope, receive, send)
            return
        key_id = scope.get("state", {}).get("key_id")
        if key_id is None:
            await self._app(scope, receive, send)
            return
        with asking(key_id):
            await self._app(scope, receive, send)

    async def _check(self, scope: Scope) -> None:
        path = scope["path"]
        if self._keyring is None:
            if path.startswith(ADMIN_PREFIX):
                _check_local(scope, "models are reloaded")
            elif path.startswith(CORRECTIONS_PREFIX) and not self._is_guarded_elsewhere:
                _check_local(scope, "corrections are kept and read")
            return
        headers = Headers(scope=scope)
        if is_open(scope["method"], path):
            # With a key more is read of it; any other request that needs none is answered alike.
            if path == WEBHOOK_PATH and (key := await self._find_key(read_presented_keys(headers))) is not None:
                scope.setdefault("state", {})["key_id"] = key.id
            return
        presented = read_presented_keys(headers)
        if not presented:
            raise UnauthorizedError("send an API key: `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        key = await self._find_key(presented)
        if key is None:
            raise UnauthorizedError("this API key is not known; it may have been revoked")
        scope.setdefault("state", {})["key_id"] = key.id
        self._check_rate(key)
        if path.startswith(ADMIN_PREFIX) and not key.is_admin:
            raise ForbiddenError(
                "this API key may not reload models; `twohands keys add NAME --admin` makes one that may"
            )
        if path.startswith(CORRECTIONS_PREFIX):
            _check_corrections_right(key, scope["method"])

    async def _find_key(self, presented: Sequence[str]) -> ApiKey | None:
        """The first of what was presented that is a key."""
        if self._keyring is None or not presented:
            return None
        await self._keyring.keep_up()
        found = (self._keyring.find(each) for each in presented)
        return next((key for key in found if key is not None), None)

    def _check_rate(self, key: ApiKey) -> None:
        per_minute = key.requests_per_minute or self._requests_per_minute
        wait_s = self._limiter.take(key.id, per_minute=per_minute)
        if wait_s:
            seconds = whole_seconds(wait_s)
            raise RateLimitedError(
                f"this API key may send {per_minute} requests a minute; the next one in {seconds} s",
                retry_after_s=seconds,
            )


def _check_corrections_right(key: ApiKey, method: str) -> None:
    is_reading = method in {"GET", "HEAD"}
    if key.corrections == "none" or (key.corrections == "read" and not is_reading):
        raise ForbiddenError(
            f"this API key may not {'read' if is_reading else 'save or change'} corrections; `twohands keys add NAME "
            f"--corrections {'read' if is_reading else 'write'}` makes one that may"
        )


def _check_local(scope: Scope, what: str) -> None:
    """Without keys, only who is on this machine and names it.

    Any client can say `localhost`; and a page can reach it from here under a name of its own (DNS rebinding). A proxy
    on this machine is itself both, whoever asks it; it can be told only by the headers that it adds.
    """
    headers = Headers(scope=scope)
    host = headers.get("host", "").lower()
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    address, _ = scope.get("client") or ("", 0)
    is_forwarded = any(key.startswith(_FORWARDING) for key in headers)
    if name not in _LOCAL_NAMES or not is_loopback(address) or is_forwarded:
        raise ForbiddenError(
            f"without API keys, {what} from this machine only, by the name localhost and through no proxy"
        )
