"""Owns the Open Inference Protocol v2 over REST (KServe, Triton): one BYTES input `text`, an output for each figure.

`label` (BYTES, `[n]`) and `probs` (FP32, `[n, k]`) are those of the model's default head. Every head has `HEAD.label`
(the labels of an any-of head joined by `|`, as in CSV files) and `HEAD.probs`, a one-of head `HEAD.abstained` too;
`n_tokens` and `truncated` say what was read. The order of the columns of `probs` stands in its parameter `labels`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from serving.limits import check_media_type, read_body, read_media_type
from serving.models import Models
from serving.protocols.documented import (
    BINARY,
    INFER_FAILURES,
    METADATA_FAILURES,
    InferAnswer,
    InferFailure,
    ModelMetadata,
    ModelReady,
    Responses,
    ServerLive,
    ServerMetadata,
    ServerReady,
    take,
)
from serving.protocols.heads import find_head, find_service
from serving.protocols.tensors import (
    Datatype,
    Parameters,
    TensorIn,
    TensorOut,
    check_content_type,
    read_texts,
    split_body,
)
from serving.schemas import parse_as
from serving.service import Service
from twohands import __version__
from twohands.errors import InputError, ProtocolError, TooManyInputsError, UnknownModelError
from twohands.prediction import OneOf, Prediction
from twohands.taxonomy import Head, ProblemType, Taxonomy

router = APIRouter(prefix="/v2", tags=["open inference protocol"])
_LENGTH_HEADER = "inference-header-content-length"
_TAKEN = take(
    "InferRequest",
    example={
        "inputs": [
            {
                "name": "text",
                "shape": [1],
                "datatype": "BYTES",
                "data": ["The ministry will pour state money into two domestic toolmakers."],
            }
        ],
        "outputs": [{"name": "label"}],
    },
    or_bytes=True,
)
_INFERRED: Responses = {200: {"model": InferAnswer, "content": {BINARY: {}}}, **INFER_FAILURES}
_IS_READY: Responses = {200: {"model": ModelReady}, **METADATA_FAILURES}
_DESCRIBED: Responses = {200: {"model": ModelMetadata}, **METADATA_FAILURES}
# One input is read and each output named once; what goes on and on is refused before all of it is looked at.
_MAX_TENSORS_IN, _MAX_TENSORS_OUT = 16, 1024
_INPUT = {"name": "text", "datatype": "BYTES", "shape": [-1]}


class OutputWanted(BaseModel):
    """An output that a caller asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    parameters: Parameters = Field(default_factory=dict)


class InferRequest(BaseModel):
    """A request for inference; without `outputs` it is answered with all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str | None = None
    # KServe's client writes the name into each body too.
    model_name: str | None = Field(default=None, description="if it is given, that of the path")
    model_version: str | None = Field(default=None, description="if it is given, the one that is served")
    parameters: Parameters = Field(default_factory=dict)
    inputs: list[TensorIn] = Field(min_length=1, max_length=_MAX_TENSORS_IN)
    outputs: list[OutputWanted] | None = Field(default=None, max_length=_MAX_TENSORS_OUT)


def _name_outputs(taxonomy: Taxonomy, default: Head) -> dict[str, tuple[Datatype, Head | None, str]]:
    """Every output: its datatype, its head and which figure of it."""
    outputs: dict[str, tuple[Datatype, Head | None, str]] = {
        "label": ("BYTES", default, "label"),
        "probs": ("FP32", default, "probs"),
    }
    # No head has a dot in its name, so that none can hide another output.
    for head in taxonomy.heads:
        outputs[f"{head.name}.label"] = ("BYTES", head, "label")
        outputs[f"{head.name}.probs"] = ("FP32", head, "probs")
        if head.problem_type is ProblemType.ONE_OF:
            outputs[f"{head.name}.abstained"] = ("BOOL", head, "abstained")
    return outputs | {"n_tokens": ("INT64", None, "n_tokens"), "truncated": ("BOOL", None, "truncated")}


def _read_figure(prediction: Prediction, head: Head | None, figure: str) -> list[object]:
    if head is None:
        return [getattr(prediction, figure)]
    answer = prediction.heads[head.name]
    if figure == "probs":
        return [answer.scores[name] for name in head.label_names]
    if isinstance(answer, OneOf):
        return [answer.label if figure == "label" else answer.abstained]
    return ["|".join(answer.labels)]


def _make_tensor(
    name: str, kind: tuple[Datatype, Head | None, str], predictions: Sequence[Prediction] | None
) -> TensorOut:
    """A tensor of predictions; without any it is only described."""
    datatype, head, figure = kind
    is_wide = figure == "probs" and head is not None
    n_rows = -1 if predictions is None else len(predictions)
    return TensorOut(
        name=name,
        datatype=datatype,
        shape=[n_rows, len(head.labels)] if is_wide and head is not None else [n_rows],
        values=[value for prediction in predictions or [] for value in _read_figure(prediction, head, figure)],
        parameters={"labels": "|".join(head.label_names)} if is_wide and head is not None else {},
    )


def _find_model(request: Request, model: str, version: str | None) -> Service:
    service = find_service(request, model)
    served = service.classifier.identity["version"]
    if version not in {None, served}:
        raise UnknownModelError(f"model '{model}' is served in version {served} only")
    return service


def _check_parameters(wanted: InferRequest, known: dict[str, Any]) -> None:
    """Nothing that would change the answer is passed over."""
    named: set[str] = set()
    for output in wanted.outputs or ():
        if output.name not in known:
            raise ProtocolError(f"unknown output; the model has {', '.join(known)}")
        if output.name in named:  # thousands of times, a small request would have an answer of gigabytes
            raise ProtocolError(f"output '{output.name}': named twice; name each once")
        named.add(output.name)
        if foreign := output.parameters.keys() - {"binary_data"}:
            what = " or ".join(sorted(foreign & {"classification", "shared_memory_region"})) or "other parameters"
            raise ProtocolError(f"output '{output.name}': {what} not supported; only binary_data is")
        if not isinstance(output.parameters.get("binary_data", False), bool):
            raise ProtocolError(f"output '{output.name}': binary_data must be true or false")
    if len(wanted.inputs) != 1 or wanted.inputs[0].name != "text":
        raise ProtocolError("expected one input, 'text'")
    if not isinstance(wanted.parameters.get("binary_data_output", False), bool):
        raise ProtocolError("parameters: binary_data_output must be true or false")
    check_content_type(wanted.parameters, "parameters")
    if any(name.startswith("sequence_") for name in wanted.parameters):
        raise ProtocolError("the model keeps no state between requests; leave the sequence parameters out")


def _check_headers(request: Request) -> None:
    # Triton's client names no media type at all; whoever names one must name the right one.
    if "content-type" in request.headers and read_media_type(request.headers) != "application/octet-stream":
        check_media_type(request.headers)


def _make_response(
    head: Mapping[str, object], tensors: Sequence[TensorOut], are_binary: Sequence[bool], headers: dict[str, str]
) -> Response:
    described, blobs = [], []
    for tensor, is_binary in zip(tensors, are_binary, strict=True):
        if not is_binary:
            described.append(tensor.to_json())
            continue
        blobs.append(tensor.to_bytes())
        parameters = tensor.parameters | {"binary_data_size": len(blobs[-1])}
        described.append(tensor.describe() | {"parameters": parameters})
    content = {**head, "outputs": described}
    if not blobs:
        return JSONResponse(content, headers=headers)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    headers = headers | {_LENGTH_HEADER: str(len(text))}
    return Response(text + b"".join(blobs), media_type="application/octet-stream", headers=headers)


@router.get("", responses={200: {"model": ServerMetadata}})
async def server_metadata() -> JSONResponse:
    """Name the service and what it can do beyond the protocol."""
    return JSONResponse({"name": "twohands", "version": __version__, "extensions": ["binary_tensor_data"]})


@router.get("/health/live", responses={200: {"model": ServerLive}})
async def server_live() -> JSONResponse:
    """Say that the process is up."""
    return JSONResponse({"live": True})


@router.get(
    "/health/ready",
    responses={200: {"model": ServerReady}, 503: {"model": InferFailure, "description": "Not ready yet, or stopping"}},
)
async def server_ready(request: Request) -> JSONResponse:
    """Say whether requests are answered."""
    find_service(request).check_ready()
    return JSONResponse({"ready": True, "live": True})


@router.get("/models/{model}/ready", responses=_IS_READY)
@router.get("/models/{model}/versions/{version}/ready", responses=_IS_READY)
async def model_ready(request: Request, model: str, version: str | None = None) -> JSONResponse:
    """Say whether a model answers."""
    models: Models = request.app.state.models
    slot = next((slot for slot in models.slots if slot.name == model), None)
    # Asked without a key: what else is served is not told.
    if slot is None or version not in {None, slot.current.classifier.identity["version"]}:
        raise UnknownModelError("no such model is served, or not in this version")
    slot.current.check_ready()
    return JSONResponse({"name": model, "ready": True})


@router.get("/models/{model}", responses=_DESCRIBED)
@router.get("/models/{model}/versions/{version}", responses=_DESCRIBED)
async def model_metadata(request: Request, model: str, version: str | None = None) -> JSONResponse:
    """Describe a model's input and outputs."""
    classifier = _find_model(request, model, version).classifier
    outputs = _name_outputs(classifier.taxonomy, find_head(classifier))
    return JSONResponse(
        {
            "name": model,
            "versions": [classifier.identity["version"]],
            "platform": "onnx_onnxv1",
            "inputs": [_INPUT],
            "outputs": [_make_tensor(name, kind, None).describe() for name, kind in outputs.items()],
        }
    )


@router.post("/models/{model}/infer", responses=_INFERRED, openapi_extra=_TAKEN)
@router.post("/models/{model}/versions/{version}/infer", responses=_INFERRED, openapi_extra=_TAKEN)
async def infer(
    request: Request,
    model: str,
    version: str | None = None,
    # Not in the document: with a body of JSON it has no place, and with one of bytes only its own length is right.
    json_length: Annotated[str | None, Header(alias=_LENGTH_HEADER, include_in_schema=False)] = None,
) -> Response:
    """Classify the elements of `text`; one that cannot be classified fails the request, as the protocol has it.

    By the binary extension, `inference-header-content-length` says how many bytes of the body are JSON.
    """
    _check_headers(request)
    text, raw = split_body(await read_body(request), json_length)
    wanted = parse_as(InferRequest, text)
    if wanted.model_name not in {None, "", model}:
        raise ProtocolError("model_name: the path names another model")
    service = _find_model(request, model, version)
    if wanted.model_version not in {None, ""}:
        _find_model(request, model, wanted.model_version)
    classifier = service.classifier
    known = _name_outputs(classifier.taxonomy, find_head(classifier))
    _check_parameters(wanted, known)
    texts = read_texts(wanted.inputs[0], raw)
    if not texts:
        raise ProtocolError("input 'text': no elements")
    if len(texts) > service.settings.max_inputs:
        raise TooManyInputsError(
            f"input 'text': {len(texts)} elements, at most {service.settings.max_inputs} are taken"
        )
    answers = await service.classify(texts)
    predictions = []
    for place, item in enumerate(answers.items):
        if isinstance(item, InputError):
            raise type(item)(f"input 'text', element {place}: {item}")
        predictions.append(item)
    is_all_binary = wanted.parameters.get("binary_data_output") is True
    outputs = wanted.outputs or [OutputWanted(name=name) for name in known]
    return _make_response(
        {"model_name": model, "model_version": answers.identity["version"]}
        | ({} if wanted.id is None else {"id": wanted.id}),
        [_make_tensor(output.name, known[output.name], predictions) for output in outputs],
        [output.parameters.get("binary_data", is_all_binary) for output in outputs],
        {"x-model-sha256": answers.identity["sha256"]},
    )
