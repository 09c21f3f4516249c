"""Owns the putting together of the app: service, routes, limits, failures. Nothing happens at import."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from starlette.routing import Route

from serving.access import WEBHOOK_PATH, AccessControl, describe_keys
from serving.body_room import BodyRoom
from serving.browsers import BrowserRules
from serving.clients import ClientLimits
from serving.corrections.desk import open_desk
from serving.corrections.routes import router as corrections_router
from serving.departures import CancelWhenGone
from serving.direct import FORESEEN, DirectRoutes, find_direct
from serving.document_routes import DOCUMENTS_PATH, Readers
from serving.document_routes import router as document_router
from serving.endings import AnswerAtTheEnd, Unfinished
from serving.failures import answer_failure, list_methods
from serving.holding import HoldModels
from serving.keys import Keyring
from serving.limits import RequestLimits
from serving.methods import HeadAsGet
from serving.metrics import Metrics
from serving.models import Models
from serving.observe import Observer
from serving.openapi import OpenapiDocument, build_openapi
from serving.operations import router as operations_router
from serving.page.routes import router as page_router
from serving.protocols import ROUTERS
from serving.queries import check_query
from serving.rates import RateLimiter
from serving.refusals import describe_refusals
from serving.routes import router
from serving.service import Phase
from serving.settings import ServeSettings
from serving.shared_folder import RATES_FOLDER
from serving.slashes import TakeSlashes
from serving.slots import Shared
from serving.stream_routes import STREAM_PATH
from serving.stream_routes import router as stream_router
from serving.tracing import NO_SPANS, open_tracing
from twohands import __version__
from twohands.classifier import Classifier

STREAMED_PATHS = frozenset({STREAM_PATH})
_MAX_WEBHOOK_BYTES = 256_000  # it needs no key; Label Studio sends the task, the annotation and the project with it
_ROUTERS = (
    router,
    stream_router,
    document_router,
    operations_router,
    corrections_router,
    page_router,
    *ROUTERS,
)


def _settle_routes(app: FastAPI) -> None:
    """Look for a path that nobody serves: what FastAPI makes of its routes it makes at the first request (#5).

    That takes a tenth of a second of the event loop, amid the requests that did not need it.
    """
    nowhere = {"type": "http", "method": "GET", "path": "/-", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(nowhere)


def create_app(
    settings: ServeSettings,
    classifier: Classifier | None = None,
    *,
    runtime: Path | None = None,
    shared: Shared | None = None,
) -> FastAPI:
    """Make the app; its lifespan loads and warms up the model.

    Args:
        settings: how to serve.
        classifier: a loaded model, which stays the caller's to close; None loads the one of the settings.
        runtime: a folder that several processes share, in which they count each key's requests; None for one alone.
        shared: which models the other processes serve; None for one alone.

    Returns:
        The app; `app.state.models` are its models, and `app.state.service` is the default one's service.

    Raises:
        ConfigError: the key file is not one, or the models cannot be named.
        FileReadError: the key file cannot be read.
        MissingExtraError: tracing, or PostgreSQL for corrections, is asked for and not installed.
    """
    metrics = Metrics()
    keyring = Keyring(settings.api_keys_file) if settings.api_keys_file is not None else None
    max_bytes, tell_used = settings.max_corrections_bytes, metrics.corrections_used.set
    desk = open_desk(settings.corrections, max_bytes=max_bytes, tell_used=tell_used)

    def describe(classifiers: Mapping[str, Classifier]) -> dict[str, Any]:
        described = build_openapi(app, classifiers)
        describe_refusals(described)
        if keyring is not None:
            describe_keys(described)
        return described

    document = OpenapiDocument(describe, lambda: {slot.name: slot.current.classifier for slot in models.slots})

    def show_default(models: Models) -> None:
        app.state.service = models.default
        document.forget()

    models = Models(settings, classifier, metrics=metrics, on_change=show_default, shared=shared)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await models.start()
        _settle_routes(app)
        if desk is not None:
            desk.start()
        try:
            yield
        finally:
            if desk is not None:
                await desk.stop()
            await models.stop()
            await asyncio.to_thread(spans.end)

    app = FastAPI(
        title="twohands",
        version=__version__,
        lifespan=lifespan,
        # The pages that FastAPI brings load scripts from other hosts.
        docs_url=None,
        openapi_url=None,  # FastAPI's route makes the document on the event loop
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own telemetry tells queries and the words of errors, which may be a caller's text, wherever some
        # provider is set; and it looks for one in the environment at each request. Ours is `--tracing`.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.models, app.state.metrics, app.state.keyring = models, metrics, keyring
    app.state.readers, app.state.corrections = Readers(), desk
    show_default(models)
    for each in _ROUTERS:
        app.include_router(each, dependencies=[Depends(check_query)])
    app.state.methods_by_path = list_methods(_ROUTERS)
    app.state.observed_routes = [route for each in _ROUTERS for route in each.routes if isinstance(route, Route)]
    app.add_middleware(DirectRoutes, routes=find_direct(_ROUTERS))
    app.add_middleware(HeadAsGet)
    app.add_middleware(CancelWhenGone)
    app.add_middleware(
        RequestLimits,
        max_body_bytes=settings.max_body_bytes,
        # A stream has no end; each of its lines has.
        max_bytes_by_path={DOCUMENTS_PATH: settings.max_document_bytes, STREAM_PATH: sys.maxsize},
        room=BodyRoom(settings.max_bodies_bytes),
        streamed_paths=STREAMED_PATHS,
        max_open_bytes_by_path={WEBHOOK_PATH: settings.max_body_bytes if keyring is None else _MAX_WEBHOOK_BYTES},
    )
    # The last one added is the first one asked.
    app.add_middleware(HoldModels, holdings=models.holdings)
    app.add_middleware(
        AccessControl,
        keyring=keyring,
        requests_per_minute=settings.requests_per_minute,
        limiter=RateLimiter(runtime / RATES_FOLDER if runtime is not None else None),
        is_guarded_elsewhere=settings.insecure,
    )
    app.add_middleware(
        ClientLimits,
        max_header_bytes=settings.max_header_bytes,
        body_timeout_s=settings.body_timeout_s,
        streamed_paths=STREAMED_PATHS,
        is_stopping=lambda: models.default.phase is Phase.STOPPING,
    )
    app.add_middleware(BrowserRules, cors_origins=settings.cors_origins)
    app.state.unfinished = Unfinished()
    app.add_middleware(AnswerAtTheEnd, unfinished=app.state.unfinished)
    app.add_middleware(TakeSlashes)  # before any goes by the path
    spans, build_observed = open_tracing() if settings.tracing else NO_SPANS, app.build_middleware_stack
    # Around all, not by `add_middleware`: Starlette answers what nobody expected outside of what is added so.
    app.build_middleware_stack = lambda: Observer(  # type: ignore[method-assign]  # Starlette has no other way
        build_observed(), metrics=metrics, spans=spans, keyring=keyring
    )
    for kind in (*FORESEEN, Exception):
        app.add_exception_handler(kind, answer_failure)

    app.openapi = document.make  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    app.add_route("/openapi.json", document.answer, include_in_schema=False)
    return app
