"""Owns the putting together of the app: service, routes, limits, failures. Nothing happens at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.failures import answer_failure
from serving.limits import RequestLimits
from serving.openapi import build_openapi
from serving.routes import router
from serving.service import Service
from serving.settings import ServeSettings
from twohands import __version__
from twohands.classifier import Classifier
from twohands.errors import TwoHandsError

_DESCRIPTION = "Whose hand steers the economy here, the state's or the market's? Paragraphs in, stance and topics out."


def create_app(settings: ServeSettings, classifier: Classifier | None = None) -> FastAPI:
    """Make the app; its lifespan loads and warms up the model.

    Args:
        settings: how to serve.
        classifier: a loaded model, which stays the caller's to close; None loads the one of the settings.

    Returns:
        The app; `app.state.service` is its service.
    """
    service = Service(settings, classifier)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="twohands",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        # The pages that FastAPI brings load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(router)
    app.add_middleware(RequestLimits, max_body_bytes=settings.max_body_bytes)
    for kind in (TwoHandsError, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, answer_failure)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app, service.classifier)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    return app
