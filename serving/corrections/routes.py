"""Owns /v1/corrections: save, list, review, delete and export. Nothing is stored unless it is posted here."""

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Annotated, Any, BinaryIO, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from serving.corrections.desk import Desk, get_desk
from serving.corrections.exports import FILE_NAMES, MEDIA_TYPES, ExportFormat, make_label_config, write_export
from serving.corrections.labels import check_labels, find_taxonomy
from serving.corrections.schemas import (
    Correction,
    CorrectionChange,
    CorrectionRequest,
    CorrectionsResponse,
    Status,
)
from serving.limits import check_media_type
from serving.models import Models
from serving.operations import get_models
from serving.schemas import FailureResponse, parse_as
from twohands.errors import CorrectionNotFoundError
from twohands.paragraphs import normalise

CORRECTIONS_PATH = "/v1/corrections"
_XML = "application/xml"
router = APIRouter(prefix=CORRECTIONS_PATH, tags=["corrections"])

_MOST_OF_A_PAGE = 200
_CHUNK_BYTES = 64 * 1024
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": FailureResponse, "description": description}
    for status, description in {
        400: "The body is not JSON",
        403: "The API key may not do this",
        404: "There is no such correction, or the service keeps none (`corrections_disabled`)",
        413: "The body is too large",
        415: "The body is not declared as JSON",
        422: "A field is wrong, or a label is none of the model's; the message names it",
        429: "Too much work waits already; `retry-after` says when to try again",
        503: "The database cannot be used now; nothing was changed",
    }.items()
}
_SAVING_FAILURES = _FAILURES | {
    507: {"model": FailureResponse, "description": "There is no room for more; nothing was changed"}
}


def _describe_body(name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}  # `openapi.py` adds it
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _get_key_id(request: Request) -> str | None:
    key_id: str | None = getattr(request.state, "key_id", None)
    return key_id


def _name(model: BaseModel | None) -> dict[str, str] | None:
    return None if model is None else model.model_dump()


def _check_id(correction_id: str) -> str:
    if not _ID.fullmatch(correction_id):
        raise CorrectionNotFoundError("no correction has this id")
    return correction_id


async def _read_new(request: Request) -> CorrectionRequest:
    check_media_type(request.headers)
    return parse_as(CorrectionRequest, await request.body())


async def _read_change(request: Request) -> CorrectionChange:
    check_media_type(request.headers)
    return parse_as(CorrectionChange, await request.body())


_Desk = Annotated[Desk, Depends(get_desk)]
_Models = Annotated[Models, Depends(get_models)]
_StatusFilter = Annotated[Literal[Status, "all", ""], Query(description="only these; all if not given")]


@router.post(
    "",
    status_code=201,
    response_model=Correction,
    responses=_SAVING_FAILURES,
    openapi_extra=_describe_body("CorrectionRequest"),
)
async def save_correction(
    request: Request, desk: _Desk, models: _Models, wanted: Annotated[CorrectionRequest, Depends(_read_new)]
) -> JSONResponse:
    """Keep a paragraph with its right labels, for review; it is stored as sent, and nothing else is."""
    normalise(wanted.text, limit_chars=models.settings.limit_chars)
    labels = check_labels(wanted.labels, find_taxonomy(models, _name(wanted.model)))
    fields = wanted.model_dump() | {"labels": labels, "key_id": _get_key_id(request)}
    kept = await desk.run(lambda store: store.add(**fields))
    return JSONResponse(
        kept.model_dump(mode="json"), status_code=201, headers={"location": f"{CORRECTIONS_PATH}/{kept.id}"}
    )


@router.get("", response_model=CorrectionsResponse, responses=_FAILURES)
async def list_corrections(
    desk: _Desk,
    status: _StatusFilter = "all",
    limit: Annotated[int, Query(ge=1, le=_MOST_OF_A_PAGE)] = 50,
    after: Annotated[str | None, Query(pattern=f"^{_ID.pattern}$", description="`next` of the page before")] = None,
) -> Response:
    """List corrections, the latest first."""
    chosen = None if status in {"all", ""} else cast("Status", status)

    def read_page(store: Any) -> bytes:  # noqa: ANN401 - the store's class would load SQLAlchemy
        found, total, following = store.list_page(status=chosen, limit=limit, after=after)
        clashes = store.find_clashes([each.id for each in found])
        page = CorrectionsResponse(corrections=found, next=following, total=total, clashes=clashes)
        return json.dumps(page.model_dump(mode="json"), ensure_ascii=False).encode()

    return Response(await desk.run(read_page), media_type="application/json")


@router.get(
    "/export",
    responses={
        200: {"content": {kind: {} for kind in (*MEDIA_TYPES.values(), _XML)}, "description": "A file"},
        **_FAILURES,
    },
    response_class=StreamingResponse,
)
async def export_corrections(
    desk: _Desk,
    models: _Models,
    export_format: Annotated[
        Literal["jsonl", "label-studio", "label-studio-config"],
        Query(alias="format", description="rows for `twohands train`; tasks for Label Studio; the config they fit"),
    ] = "jsonl",
    status: Annotated[Literal[Status, "all"], Query(description="only these, or all")] = "accepted",
) -> Response:
    """Export corrections as a file, one for each text: that whose labels were set last."""
    if export_format == "label-studio-config":
        headers = {"content-disposition": 'attachment; filename="label-studio-config.xml"'}
        config = make_label_config(models.default.classifier.taxonomy)
        return Response(config, media_type=_XML, headers=headers)
    wanted: ExportFormat = export_format
    chosen = None if status == "all" else status

    def write(store: Any) -> tuple[BinaryIO, int]:  # noqa: ANN401 - the store's class would load SQLAlchemy
        # To disk first: a slow reader holds no transaction, and a failure is told before the answer has begun.
        stream = desk.open_copy()
        try:
            write_export(_tell_each(store.iterate_latest(status=chosen), desk), stream, export_format=wanted)
            n_bytes = stream.tell()
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
        return stream, n_bytes

    stream, n_bytes = await desk.run(write)
    return StreamingResponse(
        _send_file(stream),
        media_type=MEDIA_TYPES[wanted],
        headers={
            "content-disposition": f'attachment; filename="{FILE_NAMES[wanted]}"',
            "content-length": str(n_bytes),
        },
    )


def _tell_each(corrections: Iterable[Correction], desk: Desk) -> Iterator[Correction]:
    """Let an export take as long as rows come: all of it took longer than any one answer of the database may."""
    for correction in corrections:
        desk.go_on()
        yield correction


async def _send_file(stream: BinaryIO) -> AsyncIterator[bytes]:
    with stream:
        while chunk := await run_in_threadpool(stream.read, _CHUNK_BYTES):
            yield chunk


@router.get("/{correction_id}", response_model=Correction, responses=_FAILURES)
async def show_correction(correction_id: str, desk: _Desk) -> JSONResponse:
    """Show one correction."""
    _check_id(correction_id)
    kept = await desk.run(lambda store: store.get(correction_id))
    return JSONResponse(kept.model_dump(mode="json"))


@router.patch(
    "/{correction_id}",
    response_model=Correction,
    responses=_SAVING_FAILURES,
    openapi_extra=_describe_body("CorrectionChange"),
)
async def change_correction(
    request: Request,
    correction_id: str,
    desk: _Desk,
    models: _Models,
    wanted: Annotated[CorrectionChange, Depends(_read_change)],
) -> JSONResponse:
    """Review a correction: accept or reject it, or mend its labels, note and confidence."""
    _check_id(correction_id)
    changes = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    if wanted.labels is not None:
        kept = await desk.run(lambda store: store.get(correction_id))
        changes["labels"] = check_labels(wanted.labels, find_taxonomy(models, _name(kept.model)))
    key_id = _get_key_id(request)
    changed = await desk.run(lambda store: store.change(correction_id, changes, key_id=key_id))
    return JSONResponse(changed.model_dump(mode="json"))


@router.delete("/{correction_id}", status_code=204, responses=_FAILURES, response_class=Response)
async def delete_correction(correction_id: str, desk: _Desk) -> Response:
    """Delete a correction for good."""
    _check_id(correction_id)
    await desk.run(lambda store: store.delete(correction_id))
    return Response(status_code=204)
