"""Owns the routes: what is asked, what is answered, and the headers that say how long it took."""

import platform
import time
from collections.abc import Sequence
from typing import Annotated, Any

import fastapi
import onnxruntime
import tokenizers
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse

from serving.limits import check_media_type, read_body
from serving.models import Models
from serving.operations import get_models
from serving.protocols.text_embeddings import make_tei_info
from serving.schemas import (
    ClassifyRequest,
    ClassifyResponse,
    FailureResponse,
    HeadInfo,
    InfoResponse,
    LabelInfo,
    LimitsInfo,
    ModelIdentity,
    StatusResponse,
    WindowInfo,
    parse_request,
)
from serving.service import Answers
from twohands import __version__
from twohands.errors import InputError, TooManyInputsError
from twohands.manifest import HeadEntry

router = APIRouter()

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": FailureResponse, "description": "The body is not JSON"},
    404: {"model": FailureResponse, "description": "No model of this name is served"},
    413: {"model": FailureResponse, "description": "The body is too large"},
    415: {"model": FailureResponse, "description": "The body is not declared as JSON"},
    422: {"model": FailureResponse, "description": "A field is wrong; the message names it"},
    429: {"model": FailureResponse, "description": "Too much work waits already; `retry-after` says when to try again"},
    500: {"model": FailureResponse, "description": "The service failed"},
    503: {"model": FailureResponse, "description": "Not ready yet, or stopping"},
}


async def read_classify_request(request: Request) -> ClassifyRequest:
    """Read the body once, strictly; FastAPI's own reading would let NaN and lone surrogates through."""
    check_media_type(request.headers)
    return parse_request(await read_body(request))


def _answer(answers: Answers, started_s: float) -> JSONResponse:
    predictions = [
        {"error": {"code": item.code, "message": str(item)}} if isinstance(item, InputError) else item.to_dict()
        for item in answers.items
    ]
    timing = answers.timing
    spent = {
        "tokenize": timing.tokenize_ms,
        "queue": timing.queue_ms,
        "infer": timing.infer_ms,
        "total": 1e3 * (time.perf_counter() - started_s),
    }
    headers = {
        "server-timing": ", ".join(f"{name};dur={spent_ms:.2f}" for name, spent_ms in spent.items()),
        "x-model-sha256": answers.identity["sha256"],
    }
    return JSONResponse({"model": answers.identity, "predictions": predictions}, headers=headers)


@router.post("/v1/classify", responses={200: {"model": ClassifyResponse}, **_FAILURES}, tags=["classify"])
async def classify(request: Request) -> JSONResponse:
    """Classify one paragraph or a list.

    A bad item of a list answers in its place with `{"error": {"code", "message"}}` and the others succeed; a
    single bad text fails the request.
    """
    wanted = await read_classify_request(request)
    service = get_models(request).get(wanted.model)
    started_s = time.perf_counter()
    texts = [wanted.inputs] if isinstance(wanted.inputs, str) else wanted.inputs
    if len(texts) > service.settings.max_inputs:
        raise TooManyInputsError(
            f"inputs: found {len(texts)} texts, at most {service.settings.max_inputs} are taken in one request"
        )
    answers = await service.classify(texts, thresholds=wanted.thresholds, explain=wanted.explain)
    if isinstance(wanted.inputs, str) and isinstance(answers.items[0], InputError):
        raise answers.items[0]
    return _answer(answers, started_s)


@router.get("/healthz", response_model=StatusResponse, tags=["state"])
async def healthz() -> StatusResponse:
    """Say that the process is up, whatever the state of the model."""
    return StatusResponse(status="alive")


@router.get("/readyz", response_model=StatusResponse, responses={503: _FAILURES[503]}, tags=["state"])
async def readyz(models: Annotated[Models, Depends(get_models)]) -> StatusResponse:
    """Say whether requests are answered: 503 until every model is warm, and while the service stops."""
    models.check_ready()
    return StatusResponse(status="ready")


def _describe_head(head: HeadEntry) -> HeadInfo:
    thresholds: Sequence[float | None] = head.decision.thresholds or [None] * len(head.labels)
    labels = [
        LabelInfo(name=label.name, description=label.description, threshold=threshold)
        for label, threshold in zip(head.labels, thresholds, strict=True)
    ]
    return HeadInfo(
        name=head.name,
        problem_type=head.problem_type,
        labels=labels,
        abstention=head.decision.abstention,
        poles=None if head.balance_poles is None else list(head.balance_poles),
    )


@router.get("/info", response_model=InfoResponse, responses={404: _FAILURES[404], 503: _FAILURES[503]}, tags=["state"])
async def info(
    request: Request,
    models: Annotated[Models, Depends(get_models)],
    model: Annotated[str | None, Query(description="which model; the default one if not given")] = None,
) -> InfoResponse:
    """Say which model is served, what its labels mean, how it decides, and what a request may hold."""
    service = models.get(model)
    classifier, settings = service.classifier, service.settings
    manifest = classifier.manifest
    return InfoResponse(
        model=ModelIdentity(**classifier.identity),
        license=manifest.license,
        created=manifest.created,
        encoder=manifest.encoder.name,
        precision=manifest.graph.precision,
        second=None if manifest.cascade is None else ModelIdentity(**manifest.cascade.identity),
        heads=[_describe_head(head) for head in manifest.heads],
        window=WindowInfo(**manifest.window.model_dump()),
        metrics=manifest.metrics,
        threads=classifier.session.num_threads,
        runtime=classifier.session.runtime,
        corrections=request.app.state.corrections is not None,
        limits=LimitsInfo(
            max_body_bytes=settings.max_body_bytes,
            max_inputs=settings.max_inputs,
            limit_chars=settings.limit_chars,
            max_pending=settings.max_pending,
            max_queue_tokens=settings.max_queue_tokens,
            request_timeout_s=settings.request_timeout_s,
            max_document_bytes=settings.max_document_bytes,
            max_document_paragraphs=settings.max_document_paragraphs,
        ),
        versions={
            "twohands": __version__,
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            classifier.session.runtime.partition(" ")[0]: classifier.session.version,
            "tokenizers": tokenizers.__version__,
            "fastapi": fastapi.__version__,
        },
        **make_tei_info(service, name=models.default_name if model is None else model).model_dump(),
    )
