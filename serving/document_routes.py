"""Owns POST /v1/documents: a document -> paragraphs with offsets, each classified, and a summary of the whole."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from serving.accepting import prefers_lines
from serving.body_room import HELD_BODY
from serving.document_schemas import EXPLAIN, LINES, DocumentRequest, DocumentResponse
from serving.endings import LAST_WORDS
from serving.extract import extract
from serving.failures import note_failure, read_failure
from serving.limits import is_json_type, read_media_type
from serving.models import Models
from serving.operations import get_models
from serving.patience import PatientClassifier
from serving.schemas import FailureResponse, parse_as
from serving.service import Service
from serving.splitting import split_in_time
from serving.stream_routes import MEDIA_TYPE, NdjsonResponse, chain, parse_thresholds
from twohands import prediction
from twohands.charsets import find_codec
from twohands.documents import DocumentText
from twohands.errors import (
    DeadlineError,
    EngineStoppedError,
    InputError,
    MediaTypeError,
    OverloadedError,
    TwoHandsError,
)
from twohands.outputs import encode_line
from twohands.paragraphs import Paragraph
from twohands.scores import with_thresholds
from twohands.summary import summarise
from twohands.taxonomy import Taxonomy, check_documents

DOCUMENTS_PATH = "/v1/documents"
router = APIRouter()

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_MAIL = "message/rfc822"
_SUFFIXES = {
    "text/plain": ".txt",
    "text/markdown": ".txt",
    "text/html": ".html",
    "application/pdf": ".pdf",
    _DOCX: ".docx",
    _MAIL: ".eml",
}
_ALSO_READ = {
    "text/x-markdown": "text/markdown",
    "text/vtt": "text/plain",
    "application/x-subrip": "text/plain",
    "application/xhtml+xml": "text/html",
}
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_JSON = "application/json"
_STOPPED = "the service is stopping; send the document again elsewhere"
_UNDECLARED = {"binary", "unknown-8bit"}  # what `file` and libmagic write of bytes whose encoding they do not know
_MAX_READERS = 2
_MAX_WAITING = 8
_Item = prediction.Prediction | InputError

_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": FailureResponse, "description": description}
    for status, description in {
        400: "The body is not JSON, though it is declared so",
        404: "No model of this name is served",
        413: "The body is too large",
        415: "No kind of document that is read here",
        422: "The document cannot be read, holds no text, or has too many paragraphs",
        429: "Too much work waits already; `retry-after` says when to try again",
        501: "The service cannot read this kind of document: an extra is not installed",
        503: "Not ready yet, or stopping, or the process that reads documents did not start",
    }.items()
}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request, as far as it is read: its headers and query, then its body."""

    media_type: str
    content: bytes = b""
    charset: str | None = None
    model: str | None = None
    explain: bool = False
    lines: bool = False
    thresholds: Mapping[str, object] = field(default_factory=dict)


class Readers:
    """How many documents are read at once, and how many wait for it."""

    def __init__(self) -> None:
        """Let nobody wait yet."""
        self._free = asyncio.Semaphore(_MAX_READERS)
        self._n_here = 0

    async def read(
        self, wanted: _Wanted, *, limit_chars: int, max_paragraphs: int, timeout_s: float
    ) -> tuple[DocumentText, list[Paragraph]]:
        """Read a document and split it, off the event loop.

        Args:
            wanted: the request.
            limit_chars: most characters of one paragraph.
            max_paragraphs: most paragraphs.
            timeout_s: longest time that the reading may take, once it is its turn.

        Returns:
            Its text and pages, and at least one paragraph that is read.

        Raises:
            OverloadedError: too many documents wait to be read.
            DocumentError: it cannot be read, holds no text or too many paragraphs, or takes too long.
            ParagraphTooLongError: every paragraph has more than `limit_chars` characters.
            MissingExtraError: its kind needs the extra `documents`.
            DocumentReaderError: the process that would read it did not start.
        """
        if self._n_here >= _MAX_READERS + _MAX_WAITING:
            raise OverloadedError("too many documents wait to be read already; try again in a moment")
        self._n_here += 1
        try:
            async with self._free:
                ends_s = time.monotonic() + timeout_s
                suffix = _SUFFIXES[wanted.media_type]
                document = await extract(wanted.content, suffix=suffix, timeout_s=timeout_s, charset=wanted.charset)
                left_s = ends_s - time.monotonic()
                paragraphs = await split_in_time(
                    document.text, limit_chars=limit_chars, max_paragraphs=max_paragraphs, timeout_s=left_s
                )
                return document, paragraphs
        finally:
            self._n_here -= 1


def _read_type(headers: Mapping[str, str]) -> _Wanted:
    """What the body is declared to be: a document by its media type and charset, or JSON that holds one."""
    media_type = read_media_type(headers)
    media_type = _JSON if is_json_type(media_type) else _ALSO_READ.get(media_type, media_type)
    if media_type != _JSON and media_type not in _SUFFIXES:
        read = ", ".join([*_SUFFIXES, *_ALSO_READ])
        raise MediaTypeError(f"send a document with its `content-type`: {read} or {_JSON}")
    is_text = media_type not in {_JSON, "application/pdf", _DOCX, _MAIL}
    charset = _read_charset(headers["content-type"]) if is_text else None
    return _Wanted(media_type, charset=charset)


async def _read_body(request: Request, asked: _Wanted) -> _Wanted:
    """Read the body, whose own words count where it has any."""
    content = await request.body()
    if asked.media_type != _JSON:
        return replace(asked, content=content)
    sent = parse_as(DocumentRequest, content)
    return _Wanted(
        "text/plain",
        sent.text.encode(),
        model=asked.model if sent.model is None else sent.model,
        explain=asked.explain or sent.explain,
        lines=asked.lines or sent.lines,
        thresholds={**asked.thresholds, **sent.thresholds},
    )


def _find_service(models: Models, wanted: _Wanted) -> Service:
    """The model that is to answer; refused when there is none yet, and what cannot be wanted of this one."""
    service = models.get(wanted.model)
    taxonomy = service.classifier.taxonomy
    with_thresholds(taxonomy.heads, service.classifier.manifest.rules, wanted.thresholds)
    check_documents(taxonomy, {_SUFFIXES[wanted.media_type]})
    return service


def _read_charset(declared: str) -> str | None:
    found = _CHARSET.search(declared)
    if found is None or found[1].lower() in _UNDECLARED:
        return None
    if find_codec(found[1]) is None:
        raise MediaTypeError(f"found charset {found[1][:40]!r}, which is not read here; send the document as utf-8")
    return found[1]


async def _classify(
    service: Service, paragraphs: list[Paragraph], wanted: _Wanted
) -> AsyncIterator[list[tuple[Paragraph, _Item]]]:
    """A few at a time, so that others are answered between; what was begun waits for its turn when there is a rush."""
    patient = PatientClassifier(
        service,
        thresholds=wanted.thresholds,
        explain=wanted.explain,
        is_evidence_optional=True,
        most_wait_s=service.settings.document_timeout_s,
    )
    is_first = True
    for group in patient.cut_groups(paragraphs, attrgetter("text"), attrgetter("lines")):
        texts = [paragraph.error or paragraph.text for paragraph in group]
        raws = [paragraph.lines for paragraph in group]
        items: list[_Item] = []
        for item in await patient.classify(texts, is_first=is_first, raws=raws):
            if isinstance(item, DeadlineError):  # a summary without this paragraph would be another document's
                raise item
            items.append(item)
        is_first = False
        yield list(zip(group, items, strict=True))


def _shape(
    number: int,
    paragraph: Paragraph,
    item: _Item,
    *,
    read: DocumentText,
    evidence_error: dict[str, str] | None,
    with_lines: bool,
) -> dict[str, object]:
    """Write one paragraph down; where evidence was asked for, `evidence_error` says why one may have none."""
    where: dict[str, object] = {"paragraph": number, "start": paragraph.start, "end": paragraph.end}
    if page := read.find_page(paragraph.start):
        where["page"] = page
    if paragraph.section:
        where["section"] = paragraph.section
    if paragraph.speaker:
        where["speaker"] = paragraph.speaker
    if with_lines and paragraph.lines:  # of one that is too long, none was read
        where["lines"] = paragraph.lines
    if isinstance(item, InputError):
        return where | {"error": {"code": item.code, "message": str(item)}}
    if evidence_error or paragraph.is_broken:
        where["text"] = paragraph.text
    if evidence_error and item.evidence is None:
        where["evidence_error"] = evidence_error
    return where | item.to_dict()


def _tell_no_evidence(timeout_s: float) -> dict[str, str]:
    """Why a paragraph has no evidence, where it was asked for."""
    return {
        "code": DeadlineError.code,
        "message": f"its evidence was not found: it takes longer than {timeout_s:g} s, or there was no room for it; "
        "all else of the answer is complete",
    }


async def _summarise(items: list[_Item], taxonomy: Taxonomy) -> dict[str, object] | None:
    sound = [item for item in items if isinstance(item, prediction.Prediction)]
    return await asyncio.to_thread(summarise, sound, taxonomy) if sound else None


def _tell_end(error: Exception) -> bytes:
    """The last line of an answer that had to break off."""
    _, code, message = read_failure(error)
    return encode_line({"error": {"code": code, "message": message}})


async def _lines(
    head: dict[str, object],
    groups: AsyncIterator[list[tuple[Paragraph, _Item]]],
    taxonomy: Taxonomy,
    shape: Callable[[int, Paragraph, _Item], dict[str, object]],
    on_failure: Callable[[TwoHandsError], None],
) -> AsyncIterator[bytes]:
    """What is known of the document, a line for each paragraph as it is done, and the summary or what went wrong."""
    items: list[_Item] = []
    async with aclosing(groups):  # type: ignore[type-var]  # an async generator
        try:
            async for group in groups:
                lines = [encode_line(shape(len(items) + i, *pair)) for i, pair in enumerate(group)]
                yield b"".join(lines if items else [encode_line(head), *lines])
                items += [item for _, item in group]
        except Exception as error:
            if not items:  # nothing was sent: it is a refusal, with its own status
                raise
            if isinstance(error, TwoHandsError):
                on_failure(error)
            yield _tell_end(error)
            if not isinstance(error, TwoHandsError):  # nobody foresaw it: logged, and broken off, further out
                raise
            return
    yield encode_line({"summary": await _summarise(items, taxonomy)})


@router.post(
    DOCUMENTS_PATH,
    responses={200: {"model": DocumentResponse, "content": {MEDIA_TYPE: {}}}, **_FAILURES},
    tags=["classify"],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": DocumentRequest.model_json_schema()},
                "text/plain": {"schema": {"type": "string"}},
                "text/html": {"schema": {"type": "string"}},
                "application/pdf": {"schema": {"type": "string", "format": "binary"}},
                _DOCX: {"schema": {"type": "string", "format": "binary"}},
                _MAIL: {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
)
async def classify_document(
    request: Request,
    models: Annotated[Models, Depends(get_models)],
    model: Annotated[str | None, Query(description="which model; the default one if not given")] = None,
    explain: Annotated[bool, Query(description=EXPLAIN)] = False,
    lines: Annotated[bool, Query(description=LINES)] = False,
    threshold: Annotated[list[str], Query(description="LABEL=VALUE, as in the command line")] = [],  # noqa: B006
) -> Response:
    """Classify a document: text, HTML, PDF, .docx or an e-mail (.eml), as the body itself, or text within JSON.

    It is split into paragraphs, each is classified, and the summary gives the share of each label over the whole
    with an interval that is wide where paragraphs are uncertain. With `accept: application/x-ndjson` the answer comes
    as it is made: a line with `model` and `document`, a line for each paragraph, and one with `summary`, or with
    `error` where it had to break off. The query says what the body does not: a document by itself can say nothing.
    """
    asked = _read_type(request.headers)
    asked = replace(asked, model=model, explain=explain, lines=lines, thresholds=parse_thresholds(threshold))
    if asked.media_type != _JSON:  # nothing of a document is asked for that is refused by its query
        _find_service(models, asked)
    wanted = await _read_body(request, asked)
    service = _find_service(models, wanted)
    taxonomy = service.classifier.taxonomy
    settings, readers = service.settings, request.app.state.readers
    read, paragraphs = await readers.read(
        wanted,
        limit_chars=settings.limit_chars,
        max_paragraphs=settings.max_document_paragraphs,
        timeout_s=settings.document_timeout_s,
    )
    # A packed file of some kilobytes may hold a hundred megabytes of text, which is held as long as its body.
    request.scope["state"][HELD_BODY].hold(max(len(wanted.content), len(read.text)))
    is_as_sent = wanted.media_type in {"text/plain", "text/markdown"}
    identity = service.classifier.identity
    headers = {"x-model-sha256": identity["sha256"]}
    document: dict[str, object] = {
        "media_type": wanted.media_type,
        "n_chars": len(read.text),
        "n_paragraphs": len(paragraphs),
        "text": None if is_as_sent else read.text,
    }
    if read.notes:
        document["notes"] = list(read.notes)
    answered = {"model": identity, "document": document}
    groups = _classify(service, paragraphs, wanted)
    evidence_error = _tell_no_evidence(settings.request_timeout_s) if wanted.explain else None
    shape = partial(_shape, read=read, evidence_error=evidence_error, with_lines=wanted.lines)
    if prefers_lines(request.headers.getlist("accept")):
        answer = _lines(answered, groups, taxonomy, shape, partial(note_failure, request))
        first = await anext(answer)
        request.scope["state"][LAST_WORDS] = _tell_end(EngineStoppedError(_STOPPED))
        return NdjsonResponse(chain(first, answer), headers | {"x-accel-buffering": "no"})
    pairs = [pair async for group in groups for pair in group]
    summary = await _summarise([item for _, item in pairs], taxonomy)
    shaped = [shape(number, *pair) for number, pair in enumerate(pairs)]
    return JSONResponse(answered | {"paragraphs": shaped, "summary": summary}, headers=headers)
