"""Owns the short way to the routes that are asked most: they read requests themselves, so FastAPI's has nothing to do.

Its router and resolver are a seventh of all calls that such a request makes. They know these routes all the same: to
document them, and to answer what asks for another path or method. Knows nothing of what a route does.
"""

from collections.abc import Iterable, Mapping

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.failures import answer_failure
from serving.queries import check_query
from twohands.errors import TwoHandsError

PATHS = frozenset({"/v1/classify", "/", "/predict", "/invocations"})
# All else that a route raises is a fault of the service, and Starlette's to answer.
FORESEEN = (TwoHandsError, HTTPException, RequestValidationError, ClientDisconnect)


def find_direct(routers: Iterable[APIRouter]) -> dict[str, APIRoute]:
    """The routes that are reached by the short way, by path.

    Args:
        routers: all of an app.

    Returns:
        Those of `PATHS` that take POST; each is a coroutine of the request alone.
    """
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {route.path: route for route in routes if route.path in PATHS and route.methods == {"POST"}}


class DirectRoutes:
    """ASGI middleware, the innermost: answers a POST to one of some paths, and hands all else to FastAPI."""

    def __init__(self, app: ASGIApp, *, routes: Mapping[str, APIRoute]) -> None:
        """Wrap an app.

        Args:
            app: what is called for all else.
            routes: by `find_direct`.
        """
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes unchanged."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        route = self._routes.get(scope["path"]) if is_post else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            await check_query(request)
            response = await route.endpoint(request)
        except FORESEEN as error:
            response = await answer_failure(request, error)
        await response(scope, receive, send)
