"""Owns which query parameters a route takes; another is refused, since one misspelt would be passed over in silence.

What needs no key chooses nothing by its query, and machines ask it, as they do the metrics, with words of their own.
"""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request

from serving.access import is_open
from serving.operations import METRICS_PATH


def is_checked(method: str, path: str) -> bool:
    """Whether a route looks at the names of query parameters.

    Args:
        method: in capitals.
        path: or the template of one.

    Returns:
        Whether it refuses those that it does not know.
    """
    return path != METRICS_PATH and not is_open(method, path)


def _list_known(route: APIRoute) -> list[str]:
    described: list[Mapping[str, Any]] = (route.openapi_extra or {}).get("parameters", [])
    read_by_hand = [each["name"] for each in described if each["in"] == "query"]
    return [*(field.alias for field in route.dependant.query_params), *read_by_hand]


async def check_query(request: Request) -> None:
    """Refuse a request with a query parameter that its route does not know.

    Args:
        request: that has a route.

    Raises:
        RequestValidationError: it has one; names it and those that are known.
    """
    if not request.query_params or not is_checked(request.method, request.scope["path"]):
        return
    known = _list_known(request.scope["route"])
    message = f"unknown parameter; known are {', '.join(known)}" if known else "unknown parameter; none is taken here"
    unknown = dict.fromkeys(name for name in request.query_params if name not in known)
    if unknown:
        raise RequestValidationError(
            [{"type": "unknown_parameter", "loc": ("query", name), "msg": message} for name in unknown]
        )
