"""Owns how the protocols of other people's clients stand in the OpenAPI document: bodies, answers, failures.

Nothing here is called when a request is answered: what is read is checked by each protocol's own models, and these
say the same to people and to tools.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_REFERENCE = "#/components/schemas/{name}"
BINARY = "application/octet-stream"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListFailure(_Strict):
    """Why a request of a Hugging Face or text-embeddings-inference client failed."""

    error: str
    error_type: Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]


class RankedLabel(_Strict):
    """A label as text-embeddings-inference answers it."""

    score: float
    label: str


class RankedElement(_Strict):
    """A label as the Hub's client reads it."""

    label: str
    score: float
    head: str
    calibrated: bool = Field(description="whether the score is the model's own, and not a function of raw logits")
    threshold: float | None = Field(
        default=None, description="any-of heads: the score from which the model gives the label"
    )


# The Hub's before the other nested one, which has fewer keys: generated clients take the first that can be read, and
# would drop `head`, `calibrated` and `threshold`.
RankedAnswer = list[RankedLabel] | list[list[RankedElement]] | list[list[RankedLabel]]


class InferFailure(_Strict):
    """Why a request of the Open Inference Protocol failed."""

    error: str


class OutputTensor(_Strict):
    """An output; without `data` its values stand behind the JSON, by the binary extension."""

    name: str
    datatype: Literal["BYTES", "FP32", "INT64", "BOOL"]
    shape: list[Annotated[int, Field(ge=0)]]
    parameters: dict[str, str | int] | None = None
    data: list[str | float | bool] | None = None


class InferAnswer(_Strict):
    """What was inferred."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class TensorDescription(_Strict):
    """An input or output of a model; -1 is any size."""

    name: str
    datatype: Literal["BYTES", "FP32", "INT64", "BOOL"]
    shape: list[int]
    parameters: dict[str, str] | None = None


class ModelMetadata(_Strict):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorDescription]
    outputs: list[TensorDescription]


class ServerMetadata(_Strict):
    """Which server this is."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(_Strict):
    """The process is up."""

    live: bool


class ServerReady(ServerLive):
    """Requests are answered."""

    ready: bool


class ModelReady(_Strict):
    """A model answers."""

    name: str
    ready: bool


class BackendFailure(_Strict):
    """Why a request of Label Studio failed."""

    error: str
    code: str
    request_id: str


class BackendHealth(_Strict):
    """The backend is up."""

    status: Literal["UP"]
    model_class: str


class BackendVersions(_Strict):
    """Versions in service."""

    versions: list[str]


class BackendSetup(_Strict):
    """The model that will pre-annotate."""

    model_version: str
    warnings: list[str] | None = Field(default=None, description="labels for which the config has no choice")


class TickedChoices(_Strict):
    """Choices that are ticked."""

    choices: list[str]


class ChoicesRegion(_Strict):
    """One control, filled in."""

    id: str
    from_name: str
    to_name: str
    type: Literal["choices"]
    value: TickedChoices
    score: float


class TaskFailure(_Strict):
    """Why a task has no pre-annotation."""

    code: str
    message: str


class TaskAnswer(_Strict):
    """The pre-annotation of one task."""

    result: list[ChoicesRegion]
    score: float = Field(description="of the head that is least certain")
    model_version: str
    error: TaskFailure | None = None


class BackendAnswer(_Strict):
    """Pre-annotations in the order of the tasks."""

    results: list[TaskAnswer]


class WebhookAnswer(_Strict):
    """Taken note of."""

    status: Literal["ok"]
    result: dict[str, Any]


_DESCRIPTIONS = {
    400: "The body is not JSON, or there is nothing in it",
    404: "No such model, version or head is served",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "Something in the request is wrong; the message names it",
    424: "The model failed",
    429: "Too much work waits already; `retry-after` says when to try again",
    500: "The service failed",
    503: "Not ready yet, or stopping",
}

Responses = dict[int | str, dict[str, Any]]


def _fail_with(model: type[BaseModel], *statuses: int) -> Responses:
    return {status: {"model": model, "description": _DESCRIPTIONS[status]} for status in statuses}


LIST_FAILURES = _fail_with(ListFailure, 400, 404, 413, 415, 422, 424, 429, 503)
INFER_FAILURES = _fail_with(InferFailure, 400, 404, 413, 415, 429, 500, 503)
# Every wrong request is a 400 there; without this FastAPI would document its own 422.
METADATA_FAILURES = _fail_with(InferFailure, 400, 404, 503)
BACKEND_FAILURES = _fail_with(BackendFailure, 400, 413, 415, 422, 429, 500, 503)
STATE_FAILURES = _fail_with(BackendFailure, 503)
EMPTY: Responses = {200: {"description": "Yes; the body is empty", "content": {}}, **_fail_with(ListFailure, 503)}

HEAD_PARAMETER = {
    "name": "head",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "the head that answers; the default one if not given",
}


def take(model: str, *parameters: dict[str, Any], example: object, or_bytes: bool = False) -> dict[str, Any]:
    """The part of an operation that FastAPI cannot know, since bodies are read by hand.

    Args:
        model: name of the body's schema, which `openapi.py` puts into the document.
        *parameters: further ones.
        example: a body that is answered with 200 where a model has the released one's heads.
        or_bytes: it may also come with the binary extension of the Open Inference Protocol.

    Returns:
        For `openapi_extra`.
    """
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": _REFERENCE.format(name=model)}, "example": example}
    }
    if or_bytes:
        content[BINARY] = {"schema": {"type": "string", "format": "binary"}}
    operation: dict[str, Any] = {"requestBody": {"required": True, "content": content}}
    return operation | ({"parameters": list(parameters)} if parameters else {})
