"""Owns what is the same of httpx for the sync and the async client: options, and what an answer or a failure says."""

import json
import math
from collections.abc import Callable
from numbers import Real
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from twohands.errors import InputError, ServiceError
from twohands.exchange import UNREADABLE, Call, make_invalid_answer, make_unreachable, read_failure
from twohands.extras import import_extra
from twohands.misuse import ArgumentError
from twohands.prediction import Prediction

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8000"
MOST_CONNECTIONS, _MOST_IDLE = 100, 20  # as httpx has them by default
INFO = Call("GET", "/info")
Items = list[Prediction | InputError]
T = TypeVar("T")


def import_httpx() -> ModuleType:
    """Load httpx, or say which extra brings it."""
    return import_extra("httpx", use="the client", extra="client")


def clean_key(api_key: object) -> str:
    """An API key without white space around it, as files have it; no message quotes a key.

    Args:
        api_key: as it was given.

    Returns:
        What a header can carry; empty for an empty one.

    Raises:
        ArgumentError: it is no string, or fits in no header.
    """
    if not isinstance(api_key, str):
        raise ArgumentError(f"api_key is {type(api_key).__name__}, expected a string")
    key = api_key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ArgumentError("api_key holds characters that no header can carry; expected printable ASCII on one line")
    return key


def _read_url(httpx: ModuleType, url: str) -> Any:  # noqa: ANN401 - the module is given, so it names no type
    """The address of a service; none is quoted in an error, as it may hold a password."""
    try:
        base_url = httpx.URL(url)
        base_url.host.encode("idna")  # as connecting does
    except (httpx.InvalidURL, TypeError, UnicodeError):
        base_url = httpx.URL("")
    # A query would end in the path of each request, which another route would answer.
    if base_url.scheme not in {"http", "https"} or not base_url.host or base_url.query or base_url.fragment:
        raise ArgumentError(
            f"the url is none of a service; expected http:// or https://, a host and at most a path, as {DEFAULT_URL}"
        )
    return base_url


def make_options(
    httpx: ModuleType, url: str, *, api_key: str | None, timeout_s: float, max_wait_s: float
) -> dict[str, Any]:
    """What either of httpx' clients is made with.

    Args:
        httpx: the module.
        url: of the service.
        api_key: sent with each request; None or an empty one sends none.
        timeout_s: for each step of a request.
        max_wait_s: longest wait before one is sent again, which is checked here and used elsewhere.

    Returns:
        Arguments by name.

    Raises:
        ArgumentError: the address is none, the key fits in no header, or a time is no number that can be waited for.
    """
    times: dict[str, object] = {"timeout_s": timeout_s, "max_wait_s": max_wait_s}
    for name, seconds in times.items():
        is_real = isinstance(seconds, Real) and not isinstance(seconds, bool)
        if not is_real or not 0 <= seconds < math.inf:  # type: ignore[operator]  # a real number can be compared
            raise ArgumentError(f"{name} is {seconds!r}; expected a number of seconds")
    if timeout_s == 0:
        raise ArgumentError("timeout_s is 0, in which no answer comes; expected a number of seconds above 0")
    base_url = _read_url(httpx, url)
    key = clean_key(api_key) if api_key is not None else ""
    # httpx makes a header of the user name and password of an address, which are for a proxy, in place of this one.
    key_header = {"x-api-key": key} if base_url.userinfo else {"authorization": f"Bearer {key}"}
    headers = {"accept": "application/json"} | (key_header if key else {})
    # Redirects are not followed: the key would go with the request, wherever it leads.
    # Who waits for a connection waits for requests of ours, each of which has its own bounds: of a thousand calls at
    # once those at the end would fail, though the service answers one after the other.
    timeout = httpx.Timeout(float(timeout_s), pool=None)
    limits = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=_MOST_IDLE)
    return {"base_url": base_url, "headers": headers, "timeout": timeout, "limits": limits, "follow_redirects": False}


def describe_failure(httpx: ModuleType, error: Exception) -> ServiceError:
    """Make of a fault on the way an error of ours, which says whether trying again may help."""
    passing = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
    return make_unreachable(error, is_passing=isinstance(error, passing))


def read_one(items: Items) -> Prediction:
    """The only prediction, or raise why there is none."""
    (item,) = items
    if isinstance(item, InputError):
        raise item
    return item


def read_info(content: bytes) -> dict[str, Any]:
    """Read the answer of GET /info.

    Args:
        content: its body.

    Returns:
        What is served.

    Raises:
        ServiceError: it is no such answer; its code is `invalid_answer`.
    """
    try:
        answer: object = json.loads(content)
    except UNREADABLE as error:
        raise make_invalid_answer() from error
    if not isinstance(answer, dict):
        raise make_invalid_answer()
    return answer


def read_answer(response: "httpx.Response", read: Callable[[bytes], T]) -> T:
    """What an answer says; a refusal, or one that broke off, is raised."""
    content = response.content
    if not response.is_success:
        raise read_failure(response.status_code, response.headers, content)
    # Of an answer without its length, as HTTP/1.0 has them, and of a packed one, httpx takes the first part for all.
    if content.startswith(b"{") and not content.rstrip().endswith(b"}"):
        raise ServiceError("the answer broke off", "invalid_answer", is_passing=True)
    return read(content)
