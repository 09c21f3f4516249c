"""Owns how a failure is answered: one table from error class to status, one shape of body, nothing of the inside.

Bodies never repeat what the caller sent: field names that could be anything are shown only if they look like names.
"""

import http
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.dialects import tell_failure
from twohands import errors

_LOGGER = logging.getLogger(__name__)

# A class that is not here, nor a parent of it, is a fault of the service: 500, and its message stays inside.
STATUS_BY_ERROR: dict[type[Exception], int] = {
    errors.InputError: 422,
    errors.ThresholdError: 422,
    errors.TooManyInputsError: 422,
    errors.ProtocolError: 422,
    errors.UnknownHeadError: 404,
    errors.JsonError: 400,
    errors.BodyTooLargeError: 413,
    errors.MediaTypeError: 415,
    errors.OverloadedError: 429,
    errors.NotReadyError: 503,
    errors.EngineStoppedError: 503,
    errors.NonFiniteLogitsError: 500,
    errors.UnauthorizedError: 401,
    errors.ForbiddenError: 403,
    errors.UnknownModelError: 404,
    errors.BodyTimeoutError: 408,
    errors.ReloadError: 409,
    errors.DocumentError: 422,
    errors.DocumentReaderError: 503,
    errors.HeadersTooLargeError: 431,
    errors.TooManyConnectionsError: 503,
    errors.MissingExtraError: 501,
    errors.CorrectionsDisabledError: 404,
    errors.CorrectionLabelsError: 422,
    errors.CorrectionNotFoundError: 404,
    errors.CorrectionsUnavailableError: 503,
    errors.CorrectionsFullError: 507,
}
RETRY_AFTER_S = {429: "1", 503: "5"}
REQUEST_ID_HEADER = "x-request-id"
# On every answer, also on those that are made outside all middleware.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
}

# Where pydantic's or HTTP's own words would say little, or name a class of ours.
_WORDS_BY_FAULT = {
    "extra_forbidden": "unknown field",
    "missing": "missing field",
    "model_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected a list",
}
_WORDS_BY_STATUS = {
    400: "this is no request by the rules of HTTP/1.1",
    404: "nothing is served at this path; / says where to look",
    405: "this path takes another method; the header `allow` names it",
    501: "`transfer-encoding` is not `chunked` alone; send the body as it is, chunked or with its `content-length`",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
MAX_FAULTS = 5  # told in full; the rest is counted


def find_status(error: Exception) -> int:
    """The status of an error by its class or nearest parent in the table; 500 for all others."""
    return _find_status(type(error))


def _find_status(found: type[Exception]) -> int:
    return next((STATUS_BY_ERROR[kind] for kind in found.__mro__ if kind in STATUS_BY_ERROR), 500)


def list_codes(statuses: Collection[int]) -> list[str]:
    """The codes of all errors that are answered with one of some statuses."""

    def walk(kind: type[Exception]) -> Iterable[type[Exception]]:
        yield kind
        for child in kind.__subclasses__():
            yield from walk(child)

    kinds = {each for kind in STATUS_BY_ERROR for each in walk(kind)}
    return sorted({str(getattr(kind, "code", "")) for kind in kinds if _find_status(kind) in statuses})


def is_name(word: str) -> bool:
    """Whether a caller's word looks like a name, so that an answer may repeat it; others may be a text or a key."""
    return _NAME.fullmatch(word) is not None


def describe_validation(faults: Sequence[Mapping[str, Any]]) -> str:
    """Name each field and what is wrong with it, without its value.

    Args:
        faults: pydantic's errors; `known` and `required` of one are the fields of the object that it is of.

    Returns:
        One line, the first faults in full.
    """
    lines = []
    for fault in faults[:MAX_FAULTS]:
        parts = [str(part) for part in fault["loc"] if part not in {"body", "[key]"}]
        where = ".".join(part if is_name(part) else "(unprintable name)" for part in parts) or "body"
        what = _WORDS_BY_FAULT.get(fault["type"], fault["msg"])
        if fault["type"] == "model_type" and (required := fault.get("required")):
            what += " such as {" + ", ".join(f'"{name}": ...' for name in required) + "}"
        elif known := fault.get("known"):
            what += f"; known are {', '.join(known)}"
        lines.append(f"{where}: {what.removeprefix('Value error, ')}")
    if len(faults) > MAX_FAULTS:
        lines.append(f"and {len(faults) - MAX_FAULTS} more")
    return "; ".join(lines)


def read_failure(error: Exception) -> tuple[int, str, str]:
    """Status, code and message of any error; those of one that is none of ours say nothing of the inside."""
    if isinstance(error, RequestValidationError):
        return 422, "invalid_request", describe_validation(error.errors())
    if isinstance(error, HTTPException):
        phrase = http.HTTPStatus(error.status_code).phrase
        message = _WORDS_BY_STATUS.get(error.status_code, phrase)
        return error.status_code, phrase.lower().replace(" ", "_"), message
    if isinstance(error, ClientDisconnect):
        return 400, "client_disconnected", "the connection ended before the body did"
    if isinstance(error, errors.TwoHandsError) and any(kind in STATUS_BY_ERROR for kind in type(error).__mro__):
        return find_status(error), error.code, str(error)
    return 500, "internal_error", "the service failed; its log has the cause under this request id"


def shape_failure(error: Exception, request_id: str, *, path: str = "") -> Response:
    """Make the answer to a failed request.

    Args:
        error: any error.
        request_id: by which the log and the caller speak of the same request.
        path: of the request; those of other protocols have bodies of their own.

    Returns:
        The response, with the body `{"error": {"code", "message", "request_id"}}` unless the path says otherwise.
    """
    status, code, message = read_failure(error)
    headers = SECURITY_HEADERS | dict(getattr(error, "headers", None) or {})
    headers[REQUEST_ID_HEADER] = request_id
    if status in RETRY_AFTER_S:
        headers["retry-after"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S[status]))
    if status == 500:
        _LOGGER.error("request %s failed: %s", request_id, type(error).__name__)
    status, body = tell_failure(path, status=status, code=code, message=message, request_id=request_id)
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status_code=status, headers=headers)


def note_failure(request: Request, error: errors.TwoHandsError) -> None:
    """Tell the log of a failure that comes when the status was sent: the line of the request has its code.

    A fault of the service has a line of its own, as where it is the answer; by the status nobody would look for it.

    Args:
        request: whose answer it stands in.
        error: what failed.
    """
    request.state.failure_code = error.code
    if find_status(error) == 500:
        _LOGGER.error("request %s failed: %s", request.state.request_id, type(error).__name__)


def list_methods(routers: Iterable[APIRouter]) -> dict[str, list[str]]:
    """The methods of each path, by its template; Starlette names those of one route only where several share a path.

    Args:
        routers: all of an app.

    Returns:
        For `app.state.methods_by_path`.
    """
    found: dict[str, set[str]] = {}
    for router in routers:
        for route in router.routes:
            if isinstance(route, Route):
                methods = found.setdefault(route.path, set())
                methods.update(route.methods or ())
                methods |= {"HEAD"} if "GET" in methods else set()
    return {path: sorted(methods) for path, methods in found.items()}


def _find_methods(request: Request) -> list[str]:
    """What a path takes, where it was asked by another method."""
    methods: list[str] = request.app.state.methods_by_path.get(getattr(request.scope.get("route"), "path", None), [])
    return methods


async def answer_failure(request: Request, error: Exception) -> Response:
    """The one exception handler of the app; metrics and logs read the code from the request's state."""
    request.state.failure_code = read_failure(error)[1]
    if isinstance(error, HTTPException) and error.status_code == 405 and (methods := _find_methods(request)):
        error = HTTPException(405, headers={"allow": ", ".join(methods)})
    return shape_failure(error, str(getattr(request.state, "request_id", "-")), path=request.scope["path"])
