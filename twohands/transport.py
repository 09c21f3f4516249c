"""Owns what is the same of httpx for the sync and the async client: options, and what an answer or a failure says."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from twohands.errors import InputError, ServiceError
from twohands.exchange import Call, make_unreachable, read_failure
from twohands.extras import import_extra
from twohands.prediction import Prediction

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8000"
INFO = Call("GET", "/info")
Items = list[Prediction | InputError]
T = TypeVar("T")


def import_httpx() -> ModuleType:
    """Load httpx, or say which extra brings it."""
    return import_extra("httpx", use="the client", extra="client")


def make_options(url: str, *, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """What either of httpx' clients is made with."""
    headers = {"accept": "application/json"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
    # Redirects are not followed: the key would go with the request, wherever it leads.
    return {"base_url": url, "headers": headers, "timeout": timeout_s, "follow_redirects": False}


def describe_failure(httpx: ModuleType, error: Exception) -> ServiceError:
    """Make of a fault on the way an error of ours, which says whether trying again may help."""
    passing = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
    return make_unreachable(error, is_passing=isinstance(error, passing))


def check_texts(texts: object) -> None:
    """Refuse one string where many are meant: it would be read as many texts of one letter."""
    if isinstance(texts, str | bytes):
        raise TypeError("expected a list of texts; use classify_one for one")


def read_one(items: Items) -> Prediction:
    """The only prediction, or raise why there is none."""
    (item,) = items
    if isinstance(item, InputError):
        raise item
    return item


def read_info(content: bytes) -> dict[str, Any]:
    """The answer of GET /info."""
    answer: dict[str, Any] = json.loads(content)
    return answer


def read_answer(response: "httpx.Response", read: Callable[[bytes], T]) -> T:
    """What an answer says; a refusal, or one that broke off, is raised."""
    if not response.is_success:
        raise read_failure(response.status_code, response.headers, response.content)
    return read(response.content)
