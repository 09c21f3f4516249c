"""Owns what is let in: the size of a body, its media type and coding, and the id by which a request is spoken of."""

import asyncio
import random
import re
import sys
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.body_room import HELD_BODY, BodyRoom, HeldBody
from serving.failures import REQUEST_ID_HEADER, answer_failure
from serving.keys import Keyring, holds_key
from twohands.errors import BodyTimeoutError, BodyTooLargeError, MediaTypeError, TwoHandsError

# Logs and headers carry the id: nothing that could break a line or a quote is taken over.
_ID_HEADER = REQUEST_ID_HEADER.encode()
_SANE_ID = re.compile(rb"[A-Za-z0-9._:=-]{1,128}")
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")
# A file as it is; no browser form of another site can declare that either.
_LINES_TYPE = re.compile(r"application/(?:(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines)|octet-stream)")
_ADVICE = "; send fewer paragraphs in one request"
_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_TIMEOUT_S = 10.0


def read_media_type(headers: Mapping[str, str]) -> str:
    """The media type of a body in lower case, without its parameters; empty if none is declared."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json_type(media_type: str) -> bool:
    """Whether a media type, as `read_media_type` gives it, is JSON or a kind of it, such as `application/ld+json`."""
    return _JSON_TYPE.fullmatch(media_type) is not None


def check_media_type(headers: Mapping[str, str], *, is_stream: bool = False) -> None:
    """Refuse a body that is not declared as JSON; a browser form of another site cannot declare that.

    Args:
        headers: of the request.
        is_stream: lines of JSON are expected instead.

    Raises:
        MediaTypeError: `content-type` is missing or another.
    """
    media_type = read_media_type(headers)
    if is_stream and not _LINES_TYPE.fullmatch(media_type):
        raise MediaTypeError("send one JSON value a line, with the header `content-type: application/x-ndjson`")
    if not is_stream and not is_json_type(media_type):
        raise MediaTypeError("send JSON, with the header `content-type: application/json`")


def make_request_id() -> str:
    """A new id; it is no secret, and to ask the system for bytes lets another thread between."""
    return f"{random.getrandbits(128):032x}"


def read_request_id(headers: Mapping[bytes, bytes], keyring: Keyring | None = None) -> str:
    """The caller's request id if it is a sane one and no API key, which logs must not hold; else a new one."""
    sent = headers.get(_ID_HEADER)
    if sent is None or not _SANE_ID.fullmatch(sent):
        return make_request_id()
    request_id = sent.decode("ascii")
    is_key = holds_key(request_id) or (keyring is not None and keyring.find(request_id) is not None)
    return make_request_id() if is_key else request_id


async def read_body(request: Request) -> bytes:
    """Read a body, once; Starlette's own way goes by an asynchronous generator, of which the event loop keeps a list.

    Args:
        request: whose body nobody has read.

    Returns:
        All of it.

    Raises:
        ClientDisconnect: the connection ended before the body did.
    """
    pieces = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def drain(receive: Receive) -> None:
    """Read the rest of a refused body and forget it: many clients read no answer before they have sent all.

    Args:
        receive: of the request; bounded in bytes and time.
    """
    n_bytes = 0
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            while n_bytes < _DRAIN_BYTES:
                message = await receive()
                n_bytes += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except (TimeoutError, BodyTimeoutError):
        return


def awaits_continue(scope: Scope) -> bool:
    """Whether a client sends its body only once it is told to go on, or has waited long enough for that.

    Args:
        scope: of the request.

    Returns:
        Whether that is so; not of requests without a body.

    Source:
        RFC 9110, section 10.1.1.
    """
    headers = dict(scope["headers"])
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0") != b""
    return has_body and headers.get(b"expect", b"").lower() == b"100-continue" and scope.get("http_version") != "1.0"


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send, *, is_last: bool = False) -> None:
    """Answer a request of whose body nothing was read: at once, though many clients send all before they read.

    The answer ends only when the body does, within bounds: a connection that is closed with its answer would be reset
    amid the body, and such a client would never see why.

    Args:
        error: why.
        scope: of the request.
        receive: of the request.
        send: of the request.
        is_last: the connection ends with this answer.
    """
    # Reading would ask for the body. And whether it still comes nobody knows: the next request would be read as it.
    is_unasked = awaits_continue(scope)
    response = await answer_failure(Request(scope), error)
    if is_last or is_unasked:
        response.headers["connection"] = "close"

    async def send_open(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await response(scope, receive, send_open)
    try:
        if not is_unasked:
            await drain(receive)
    finally:  # also where the service stops meanwhile: the answer is whole
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class RequestLimits:
    """ASGI middleware: gives each request its id, and bounds each body and all together, as declared and as counted."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        max_bytes_by_path: Mapping[str, int] | None = None,
        max_open_bytes_by_path: Mapping[str, int] | None = None,
        room: BodyRoom | None = None,
        streamed_paths: frozenset[str] = frozenset(),
    ) -> None:
        """Wrap an app.

        Args:
            app: what is called within the limits.
            max_body_bytes: largest body.
            max_bytes_by_path: where another bound holds.
            max_open_bytes_by_path: where another holds for who has shown no key; no paragraphs are sent there.
            room: for all bodies together; None for no bound.
            streamed_paths: where a body is not held as a whole; who reads it says what is.
        """
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_bytes_by_path = dict(max_bytes_by_path or {})
        self._max_open_bytes_by_path = dict(max_open_bytes_by_path or {})
        self._room = BodyRoom(sys.maxsize) if room is None else room
        self._streamed_paths = streamed_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        state = scope.setdefault("state", {})
        if "request_id" not in state:  # `Observer` gave one already
            state["request_id"] = read_request_id(headers)
        request_id = state["request_id"]

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start" and _ID_HEADER not in dict(message["headers"]):
                message["headers"] = [*message["headers"], (_ID_HEADER, request_id.encode())]
            await send(message)

        path = scope["path"]
        max_bytes, advice = self._max_bytes_by_path.get(path, self._max_body_bytes), _ADVICE
        if path in self._max_open_bytes_by_path:
            advice = ""
            if "key_id" not in state:
                max_bytes = min(max_bytes, self._max_open_bytes_by_path[path])
        too_large = f"the body is larger than {max_bytes} bytes{advice}"
        state[HELD_BODY] = held = HeldBody(self._room)
        is_streamed = path in self._streamed_paths
        try:
            _check_head(headers, max_bytes, too_large, held=None if is_streamed else held)
        except TwoHandsError as error:
            await refuse(error, scope, receive, send)
            return
        try:
            counted = _count(receive, max_bytes, too_large, held=None if is_streamed else held)
            await self._app(scope, counted, send_with_id)
        finally:
            held.hold(0)


def _check_head(headers: Mapping[bytes, bytes], max_bytes: int, too_large: str, *, held: HeldBody | None) -> None:
    """Refuse a body by what its headers say of it."""
    declared = headers.get(b"content-length", b"")
    if _is_declared_too_large(declared, max_bytes):
        raise BodyTooLargeError(too_large)
    # A small one can unpack to anything; and without this the answer would be that it is no JSON.
    if headers.get(b"content-encoding", b"").strip().lower() not in {b"", b"identity"}:
        raise MediaTypeError("compressed bodies are not read; send the request as it is, without `content-encoding`")
    if held is not None and declared.isdigit():
        held.check(int(declared))


def _is_declared_too_large(declared: bytes, max_bytes: int) -> bool:
    # Digits beyond any real size are not even read as a number: Python refuses to from 4300 on.
    return declared.isdigit() and (len(declared) > 18 or int(declared) > max_bytes)


def _count(receive: Receive, max_bytes: int, too_large: str, *, held: HeldBody | None) -> Receive:
    n_bytes = 0

    async def receive_counted() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        try:
            if n_bytes > max_bytes:
                raise BodyTooLargeError(too_large)
            if held is not None:
                held.hold(n_bytes)
        except TwoHandsError:
            if message.get("more_body", False):
                await drain(receive)
            raise
        return message

    return receive_counted
