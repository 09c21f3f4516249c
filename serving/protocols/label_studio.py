"""Owns the Label Studio ML backend, under /label-studio: live pre-annotation of tasks.

An answer that the model abstains on is no pre-annotation: a guess that it does not trust would only lead an annotator.
`score` of a task is that of its least certain head, so that sorting by it brings the hard tasks first. Nothing is
learnt from annotations: /webhook takes them and does nothing.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from serving.limits import check_media_type
from serving.patience import PatientClassifier
from serving.protocols.documented import (
    BACKEND_FAILURES,
    STATE_FAILURES,
    BackendAnswer,
    BackendHealth,
    BackendSetup,
    BackendVersions,
    Responses,
    WebhookAnswer,
    take,
)
from serving.protocols.heads import find_service
from serving.protocols.label_config import MAX_CONFIG_CHARS, Control, read_controls
from serving.schemas import parse_as
from serving.service import Service
from serving.strict_json import Place
from twohands.classifier import Classifier
from twohands.errors import DeadlineError, InputError, InputTypeError, MissingTextError
from twohands.prediction import AnyOf, OneOf, Prediction

router = APIRouter(prefix="/label-studio", tags=["label studio"])
_LOGGER = logging.getLogger(__name__)
_DIGITS = 6
_MAX_TASKS = 1000  # by as many controls: what an answer may grow to, however small the tasks
_CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="stance" toName="text">'
    '<Choice value="state-led"/><Choice value="market-led"/><Choice value="neutral"/></Choices></View>'
)
_HEALTHY: Responses = {200: {"model": BackendHealth}, **STATE_FAILURES}


class Task(BaseModel):
    """One task; what else Label Studio sends with it is of no use here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: dict[str, Any]


class PredictRequest(BaseModel):
    """Tasks to pre-annotate."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    tasks: list[Task] = Field(max_length=_MAX_TASKS)
    label_config: str = Field(min_length=1, max_length=MAX_CONFIG_CHARS)


class SetupRequest(BaseModel):
    """A project that will ask."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    label_config: str | None = Field(default=None, max_length=MAX_CONFIG_CHARS, alias="schema")


class WebhookRequest(BaseModel):
    """Something that happened in a project."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    action: str


def _mend_task(place: Place, fault: str) -> object:
    """Let a task that has half a surrogate pair come back empty, and others not suffer for it."""
    if place[:1] != ("tasks",):
        return None
    return InputTypeError(fault) if len(place) == 4 and place[2] == "data" else ""  # what else it has is of no use here


def name_identity(identity: Mapping[str, str]) -> str:
    """The model version that Label Studio shows beside each prediction; `identity` as answers have it."""
    return f"{identity['name']}-{identity['version']}-{identity['sha256'][:8]}"


def name_version(classifier: Classifier) -> str:
    """The model version of a loaded model."""
    return name_identity(classifier.identity)


def _find_certainty(answer: OneOf | AnyOf) -> float:
    if isinstance(answer, OneOf):
        return answer.score
    return min(max(score, 1 - score) for score in answer.scores.values())


def _make_region(control: Control, answer: OneOf | AnyOf) -> dict[str, object] | None:
    labels = ([] if answer.abstained else [answer.label]) if isinstance(answer, OneOf) else answer.labels
    offered = [label for label in labels if label in control.choice_by_label]
    if not offered:
        return None
    return {
        "id": uuid.uuid4().hex[:10],
        "from_name": control.name,
        "to_name": control.to_name,
        "type": "choices",
        "value": {"choices": [control.choice_by_label[label] for label in offered]},
        "score": min(answer.scores[label] for label in offered),
    }


def make_result(
    controls: Sequence[Control], items: Sequence[Prediction | InputError], model_version: str
) -> dict[str, object]:
    """Write down the pre-annotation of one task.

    Args:
        controls: what the config asks for.
        items: the answer for the text of each control.
        model_version: shown beside it.

    Returns:
        A Label Studio prediction; empty, with an `error`, where a text cannot be classified.
    """
    regions, certainties = [], []
    errors = [item for item in items if isinstance(item, InputError)]
    for control, item in zip(controls, items, strict=True):
        if isinstance(item, InputError):
            continue
        answer = item.heads[control.head.name]
        certainties.append(_find_certainty(answer))
        if (region := _make_region(control, answer)) is not None:
            regions.append(region)
    score = round(min(certainties), _DIGITS) if certainties else 0.0
    result: dict[str, object] = {"result": regions, "score": score, "model_version": model_version}
    return result | ({"error": {"code": errors[0].code, "message": str(errors[0])}} if errors else {})


async def _classify_all(service: Service, texts: Sequence[object]) -> list[Prediction | InputError]:
    """In parts: Label Studio sends more tasks than this service takes texts at once."""
    patient = PatientClassifier(service, most_wait_s=service.settings.request_timeout_s)
    items: list[Prediction | InputError] = []
    for group in patient.cut_groups(texts, lambda text: text):
        for item in await patient.classify(group, is_first=not items):
            if isinstance(item, DeadlineError):
                raise item
            items.append(item)
    return items


def _make_response(
    controls: Sequence[Control],
    keys: Sequence[str],
    items: Sequence[Prediction | InputError],
    model_version: str,
) -> JSONResponse:
    """Write down the answer; `items` are those of each key of the first task, then of the next."""
    results = []
    for start in range(0, len(items), len(keys)):
        by_key = dict(zip(keys, items[start : start + len(keys)], strict=True))
        results.append(make_result(controls, [by_key[control.text_key] for control in controls], model_version))
    return JSONResponse({"results": results})


def _warn_of_missing(controls: Sequence[Control]) -> list[str]:
    """Say which labels have no choice, in the log too: Label Studio shows its users nothing of an answer."""
    missing = dict.fromkeys((control.head.name, ", ".join(control.missing)) for control in controls if control.missing)
    for head, labels in missing:
        _LOGGER.warning("label studio: a labelling config has no choice for %s of %s", labels, head)
    return [
        f"label_config: no Choice for {labels} of {head}; where that is the answer, tasks come back without one"
        for head, labels in missing
    ]


@router.get("", responses=_HEALTHY)
@router.get("/health", responses=_HEALTHY)
async def health(request: Request) -> JSONResponse:
    """Say that the backend is up."""
    find_service(request).check_ready()
    return JSONResponse({"status": "UP", "model_class": "twohands"})


@router.get("/versions", responses={200: {"model": BackendVersions}, **STATE_FAILURES})
async def versions(request: Request) -> JSONResponse:
    """Name the version in service."""
    return JSONResponse({"versions": [name_version(find_service(request).classifier)]})


@router.post(
    "/setup",
    responses={200: {"model": BackendSetup}, **BACKEND_FAILURES},
    openapi_extra=take("SetupRequest", example={"project": "1.1700000000", "schema": _CONFIG}),
)
async def setup(request: Request) -> JSONResponse:
    """Check that the labelling config asks for something that the model can answer; warn of labels without a choice."""
    check_media_type(request.headers)
    wanted = parse_as(SetupRequest, await request.body())
    classifier = find_service(request).classifier
    warnings = []
    if wanted.label_config:
        controls = await asyncio.to_thread(read_controls, wanted.label_config, classifier.taxonomy)
        warnings = _warn_of_missing(controls)
    answer: dict[str, object] = {"model_version": name_version(classifier)}
    return JSONResponse(answer | ({"warnings": warnings} if warnings else {}))


@router.post(
    "/predict",
    responses={200: {"model": BackendAnswer}, **BACKEND_FAILURES},
    openapi_extra=take(
        "PredictRequest",
        example={
            "tasks": [{"id": 1, "data": {"text": "The ministry will pour state money into two domestic toolmakers."}}],
            "label_config": _CONFIG,
        },
    ),
)
async def predict(request: Request) -> JSONResponse:
    """Pre-annotate tasks, in order."""
    check_media_type(request.headers)
    wanted = parse_as(PredictRequest, await request.body(), mend=_mend_task)
    service = find_service(request)
    # Off the event loop, as is the answer: of a large config and many tasks either takes a while.
    controls = await asyncio.to_thread(read_controls, wanted.label_config, service.classifier.taxonomy)
    keys = list(dict.fromkeys(control.text_key for control in controls))
    texts = [task.data.get(key) for task in wanted.tasks for key in keys]
    missing = MissingTextError("the task has no such text")
    classified = await _classify_all(service, [text for text in texts if text is not None])
    given = iter(classified)
    items = [missing if text is None else next(given) for text in texts]
    return await asyncio.to_thread(_make_response, controls, keys, items, name_version(service.classifier))


@router.post(
    "/webhook",
    responses={200: {"model": WebhookAnswer}, **BACKEND_FAILURES},
    openapi_extra=take("WebhookRequest", example={"action": "ANNOTATION_CREATED"}),
)
async def webhook(request: Request) -> JSONResponse:
    """Take note of nothing: this service does not learn."""
    check_media_type(request.headers)
    wanted = parse_as(WebhookRequest, await request.body())
    del wanted
    return JSONResponse({"status": "ok", "result": {}})
