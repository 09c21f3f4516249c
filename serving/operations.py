"""Owns the routes of who runs the service: metrics, which models there are, and their exchange."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serving.metrics import CONTENT_TYPE, Metrics
from serving.models import Models
from serving.schemas import FailureResponse, ModelIdentity
from serving.slots import Slot

METRICS_PATH = "/metrics"
router = APIRouter()

_FAILURES: dict[int | str, dict[str, Any]] = {
    401: {"model": FailureResponse, "description": "No API key, or an unknown one"},
    403: {"model": FailureResponse, "description": "The key may not do this"},
    404: {"model": FailureResponse, "description": "No model of this name is served"},
    409: {"model": FailureResponse, "description": "The model cannot be exchanged; the one that served goes on"},
}


class ServedModel(BaseModel):
    """A model in service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="for the field `model` of a request")
    is_default: bool
    model: ModelIdentity
    previous: ModelIdentity | None = Field(description="what a rollback would bring back")


class ModelsResponse(BaseModel):
    """All models in service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: list[ServedModel]


class ExchangeResponse(BaseModel):
    """How an exchange ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Literal["reloaded", "unchanged", "rolled_back"]
    served: ServedModel


def get_models(request: Request) -> Models:
    """The models of the app that a request came to."""
    models: Models = request.app.state.models
    return models


_Models = Annotated[Models, Depends(get_models)]


def _describe(slot: Slot, models: Models) -> ServedModel:
    previous = slot.previous_identity
    return ServedModel(
        name=slot.name,
        is_default=slot.name == models.default_name,
        model=ModelIdentity(**slot.current.classifier.identity),
        previous=ModelIdentity(**previous) if previous is not None else None,
    )


def _tell_others(name: str, models: Models) -> None:
    # Not by `get`: who asked may have left, and what is held for a request that has ended is held for ever.
    models.tell_others(name, models.get_slot(name).current.classifier.sha256)


@router.get(
    METRICS_PATH,
    response_class=Response,
    responses={200: {"description": "All metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    tags=["state"],
)
async def show_metrics(request: Request, models: _Models) -> Response:
    """Show all metrics in Prometheus' text format."""
    models.tell_depth()
    metrics: Metrics = request.app.state.metrics
    # Off the event loop: under several workers it reads files of each.
    return Response(await asyncio.to_thread(metrics.show), media_type=CONTENT_TYPE)


@router.get("/v1/models", response_model=ModelsResponse, tags=["models"])
async def list_models(models: _Models) -> ModelsResponse:
    """List the models in service, the default one first."""
    return ModelsResponse(models=[_describe(slot, models) for slot in models.slots])


@router.post("/admin/models/{name}/reload", response_model=ExchangeResponse, responses=_FAILURES, tags=["models"])
async def reload_model(name: str, models: _Models) -> ExchangeResponse:
    """Load a model's folder again; requests go on being answered, and a bad folder changes nothing."""

    async def exchange() -> bool:
        if is_new := await models.reload(name):
            _tell_others(name, models)
        return is_new

    # Of half an exchange, of which the other workers heard nothing, nobody would know.
    is_new = await models.see_through(exchange())
    return ExchangeResponse(
        outcome="reloaded" if is_new else "unchanged", served=_describe(models.get_slot(name), models)
    )


@router.post("/admin/models/{name}/rollback", response_model=ExchangeResponse, responses=_FAILURES, tags=["models"])
async def roll_back_model(name: str, models: _Models) -> ExchangeResponse:
    """Let the model before answer again."""

    async def exchange() -> None:
        await models.rollback(name)
        _tell_others(name, models)

    await models.see_through(exchange())
    return ExchangeResponse(outcome="rolled_back", served=_describe(models.get_slot(name), models))
