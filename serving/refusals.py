"""Owns which refusals stand in the OpenAPI document wherever they can come: those that are made before a route is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.dialects import tell_failure
from serving.operations import METRICS_PATH
from serving.probes import is_probe
from serving.queries import is_checked

_REFERENCE = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A status as this service has it; `can_come` takes a method in capitals, a path's template and an operation."""

    status: int
    description: str
    can_come: Callable[[str, str, dict[str, Any]], bool]


def _always(method: str, path: str, operation: dict[str, Any]) -> bool:
    del method, path, operation
    return True


_REFUSALS = (
    _Refusal(403, "A page of another site asks, and `--cors-origin` does not name it", _always),
    _Refusal(408, "The body came too slowly", lambda _, __, operation: "requestBody" in operation),
    _Refusal(413, "The body is too large", _always),
    _Refusal(415, "The body is compressed", _always),
    _Refusal(422, "A parameter is wrong or unknown; the message names it", lambda *asked: is_checked(*asked[:2])),
    _Refusal(429, "Bodies of other requests take up the room", lambda _, __, operation: "requestBody" in operation),
    _Refusal(431, "The headers and the path are too large", _always),
    _Refusal(
        503,
        "Too many connections are open, or the service is not ready or stops",
        lambda _, path, __: not is_probe(path) and path != METRICS_PATH,
    ),
)


def _name_schema(body: dict[str, object]) -> str:
    """Which schema of the document a failure has, by what stands in it."""
    if isinstance(body["error"], dict):
        return "FailureResponse"
    if "error_type" in body:
        return "ListFailure"
    return "BackendFailure" if "request_id" in body else "InferFailure"


def _describe_refusal(refusal: _Refusal, path: str) -> tuple[str, dict[str, Any]]:
    """The status of a refusal on a path, and what the document says of it."""
    status, body = tell_failure(path, status=refusal.status, code="", message="", request_id="")
    told: dict[str, Any] = {"description": refusal.description}
    if body is not None:
        told["content"] = {"application/json": {"schema": {"$ref": _REFERENCE.format(name=_name_schema(body))}}}
    return str(status), told


def describe_refusals(document: dict[str, Any]) -> None:
    """Write into an OpenAPI document what any route, or many, may be refused with, in the shape of each path.

    Args:
        document: changed in place; what a route says of a status itself stays.
    """
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for refusal in _REFUSALS:
                if refusal.can_come(method.upper(), path, operation):
                    operation["responses"].setdefault(*_describe_refusal(refusal, path))
