"""Owns which query parameters a route takes; another is refused, since one misspelt would be passed over in silence.

So is one that is given twice, of which only the last would count, where the route takes no list of them.
What needs no key chooses nothing by its query, and machines ask it, as they do the metrics, with words of their own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_origin

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


def _list_repeated(route: APIRoute, names: Sequence[str]) -> list[str]:
    lists = {field.alias for field in route.dependant.query_params if get_origin(field.field_info.annotation) is list}
    return [name for name, n_times in Counter(names).items() if n_times > 1 and name not in lists]


async def check_query(request: Request) -> None:
    """Refuse a request with a query parameter that its route does not know, or takes once and is given twice.

    Args:
        request: that has a route.

    Raises:
        RequestValidationError: it has one; names it, and of an unknown one those that are known.
    """
    if not request.scope["query_string"] or not is_checked(request.method, request.scope["path"]):
        return
    known = _list_known(request.scope["route"])
    message = f"unknown parameter; known are {', '.join(known)}" if known else "unknown parameter; none is taken here"
    names = [name for name, _ in request.query_params.multi_items()]
    faults = dict.fromkeys(_list_repeated(request.scope["route"], names), "given more than once; give it once")
    faults |= {name: message for name in names if name not in known}
    if faults:
        raise RequestValidationError(
            [{"type": "unknown_parameter", "loc": ("query", name), "msg": fault} for name, fault in faults.items()]
        )
