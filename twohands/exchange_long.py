"""Owns what the sync and the async client share of long inputs: rows of any number, and documents. Sends nothing.

Rows travel by POST /v1/classify/stream in parts of some hundred. One request for all of them would be lost as a whole
when its connection breaks, and httpx sends a body to its end before it reads the answer; a part fits into the buffers
between, is held in memory alone, and what is not answered of it is sent again by itself.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twohands.errors import InputError, InputTypeError, ServiceError
from twohands.exchange import UNREADABLE, Call, encode_text, make_invalid_answer, read_item, read_thresholds
from twohands.prediction import Prediction

STREAM_PATH, DOCUMENTS_PATH = "/v1/classify/stream", "/v1/documents"
_ROWS_AT_ONCE = 128
_BYTES_AT_ONCE = 64_000
# In the place of a row these tell of the service and not of the row: it is sent again.
_PASSING_CODES = frozenset({"overloaded", "deadline_exceeded", "engine_stopped", "body_timeout"})

RowId = str | int
Row = str | tuple[RowId, str]
"""A text, named by its place from 0, or a name and a text."""
Part = list[tuple[RowId, str | InputTypeError]]
"""Rows of one request, and among them faults of texts that none can carry, which stay behind."""
Item = Prediction | InputError


def _name_row(row: Row, place: int) -> tuple[RowId, str | InputTypeError]:
    """Check a row, and name it where it has no name.

    Args:
        row: a text, or a name and a text.
        place: in the stream, from 0.

    Returns:
        Its name, and its text or why no request can carry it.

    Raises:
        InputTypeError: no answer can be given its name.
    """
    name, text = row if isinstance(row, tuple) and len(row) == 2 else (place, row)
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise InputTypeError(f"row {place}: a row's name is a string or a whole number")
    if isinstance(name, str):
        encode_text(name, where=f"row {place}: its name")
    try:
        encode_text(text, where=f"row {place}")
    except InputTypeError as fault:
        return name, fault
    return name, str(text)


class PartCutter:
    """Gathers rows into parts of one request each, bounded in rows and in bytes."""

    def __init__(self) -> None:
        """Begin with row 0."""
        self._part: Part = []
        self._n_bytes = self._n_rows = 0

    def add(self, row: Row) -> Part | None:
        """Take one row.

        Args:
            row: a text, or a name and a text.

        Returns:
            The part that was full before it, if it was.

        Raises:
            InputTypeError: see `_name_row`.
        """
        named = _name_row(row, self._n_rows)
        self._n_rows += 1
        n_bytes = len(named[1].encode()) if isinstance(named[1], str) else 0
        full = self.end() if len(self._part) == _ROWS_AT_ONCE or self._n_bytes + n_bytes > _BYTES_AT_ONCE else None
        self._part.append(named)
        self._n_bytes += n_bytes
        return full or None

    def end(self) -> Part:
        """Take what is left; empty if nothing is."""
        part, self._part, self._n_bytes = self._part, [], 0
        return part


def cut_rows(rows: Iterable[Row]) -> Iterator[Part]:
    """Cut rows into parts, reading no further than the part in hand.

    Args:
        rows: any number.

    Yields:
        Parts in order, none of them empty.

    Raises:
        InputTypeError: see `_name_row`.
    """
    cutter = PartCutter()
    for row in rows:
        if part := cutter.add(row):
            yield part
    if part := cutter.end():
        yield part


def _make_query(thresholds: Mapping[str, float], *, explain: bool, model: str | None) -> tuple[tuple[str, str], ...]:
    """What a body that is not JSON cannot say."""
    query = [("threshold", f"{label}={value!r}") for label, value in thresholds.items()]
    query += [("explain", "true")] if explain else []
    query += [("model", model)] if model is not None else []
    return tuple(query)


def make_stream_call(part: Part, *, thresholds: Mapping[str, float] | None, explain: bool, model: str | None) -> Call:
    """The request for one part."""
    query = _make_query(read_thresholds(thresholds), explain=explain, model=model)
    lines = (json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in part if isinstance(text, str))
    body = "".join(f"{line}\n" for line in lines).encode()
    return Call("POST", STREAM_PATH, body, "application/x-ndjson", query)


def _is_passing(answer: Mapping[str, Any]) -> bool:
    fault = answer.get("error")
    return fault is not None and fault["code"] in _PASSING_CODES


class PartInWork:
    """One part on its way. What was answered of it is kept, so that only its other rows are sent again (#5)."""

    def __init__(self, part: Part, make: Callable[[Part], Call]) -> None:
        """Send nothing yet.

        Args:
            part: its rows; faults among them are their own answers.
            make: the request for some of them.
        """
        self._part, self._make = part, make
        self._items: dict[int, Item] = {n: text for n, (_, text) in enumerate(part) if not isinstance(text, str)}

    def _list_left(self) -> list[int]:
        return [place for place in range(len(self._part)) if place not in self._items]

    def make_call(self) -> Call:
        """The request for the rows without an answer."""
        return self._make([self._part[place] for place in self._list_left()])

    def read(self, content: bytes) -> list[tuple[RowId, Item]]:
        """Read the answer to the last request.

        Args:
            content: its body.

        Returns:
            Name and answer of each row of the part, in order.

        Raises:
            ServiceError: it is no such answer, or rows are left without one; then these may be sent.
        """
        left = self._list_left()
        try:
            answers: list[dict[str, Any]] = [json.loads(line) for line in content.split(b"\n")[:-1]]
            faults = [answer["error"] for answer in answers if _is_passing(answer)]
            for place, answer in zip(left, answers, strict=False):
                if answer["id"] != self._part[place][0]:  # null, too, in a last line that tells why there are no more
                    break
                if not _is_passing(answer):
                    self._items[place] = read_item(answer)
            if faults:
                raise ServiceError(faults[0]["message"], faults[0]["code"], is_passing=True)
            if [answer["id"] for answer in answers] != [self._part[place][0] for place in left]:
                # Fewer than were sent: the connection was closed in good order, but too early.
                raise ServiceError("the answer ended before all rows were answered", "invalid_answer", is_passing=True)
        except UNREADABLE as error:
            raise make_invalid_answer() from error
        return self.list_answered()

    def list_answered(self) -> list[tuple[RowId, Item]]:
        """Name and answer of each row, in order, before the first that has none."""
        n_answered = next(iter(self._list_left()), len(self._part))
        return [(name, self._items[place]) for place, (name, _) in enumerate(self._part[:n_answered])]


def give(answers: list[tuple[RowId, Item]], failure: ServiceError | None) -> Iterator[tuple[RowId, Item]]:
    """Give what was answered of a part, and only then say why the next row has no answer.

    Args:
        answers: of its rows, in order.
        failure: why there are no more, if there are none.

    Yields:
        Names and answers.

    Raises:
        ServiceError: the failure.
    """
    yield from answers
    if failure is not None:
        raise failure


@dataclass(frozen=True, slots=True)
class DocumentParagraph:
    """A paragraph of a document: characters `start` to `end` of it, and its prediction or why it has none.

    `page` is that of a PDF on which it begins, counted from 1; `section` is the last heading above it; `speaker` is who
    speaks, in a transcript. `text` are its words in one line and without marks, where the service tells them: with
    evidence, whose places count in them, and where more than marks stood between, such as times of subtitles.
    `evidence_error`, with `code` and `message`, says why there is no evidence that was asked for: it took the service
    too long. The prediction is complete without it.
    """

    start: int
    end: int
    item: Item
    page: int | None = None
    section: str | None = None
    speaker: str | None = None
    text: str | None = None
    evidence_error: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A classified document; `text` is what offsets count in where that is not what was sent, as of PDF.

    `summary` is as in the answer of POST /v1/documents, None when no paragraph could be classified.
    """

    paragraphs: Sequence[DocumentParagraph]
    summary: dict[str, Any] | None
    text: str | None
    model: dict[str, str]


def make_document_call(
    content: str | bytes,
    *,
    media_type: str | None,
    thresholds: Mapping[str, float] | None,
    explain: bool,
    model: str | None,
) -> Call:
    """The request for one document.

    Args:
        content: text, or the bytes of a file.
        media_type: of the bytes; None for text.
        thresholds: overrides.
        explain: ask for evidence.
        model: None is the default one.

    Returns:
        The request.

    Raises:
        InputTypeError: bytes without a media type, or text that no JSON can carry.
        ThresholdError: a threshold is no number from 0 to 1.
    """
    told = read_thresholds(thresholds) if thresholds else {}
    if isinstance(content, str):
        encode_text(content, where="the document")
        if media_type not in {None, "text/plain"}:
            raise InputTypeError(f"a document of type {media_type} is sent as bytes; encode it")
        wanted: dict[str, object] = {"text": content} | ({"thresholds": told} if told else {})
        wanted |= ({"explain": True} if explain else {}) | ({"model": model} if model is not None else {})
        return Call("POST", DOCUMENTS_PATH, json.dumps(wanted, ensure_ascii=False).encode())
    if media_type is None:
        raise InputTypeError("bytes need a media type: text/plain, text/markdown, text/html or application/pdf")
    if not (media_type.isascii() and media_type.isprintable()):
        raise InputTypeError(f"no document is of the type {media_type!r}")
    query = _make_query(told, explain=explain, model=model)
    return Call("POST", DOCUMENTS_PATH, content, media_type, query)


def read_document(content: bytes) -> Document:
    """Read the answer to a document.

    Args:
        content: its body.

    Returns:
        The document.

    Raises:
        ServiceError: it is no such answer.
    """
    try:
        answer = json.loads(content)
        return Document(
            paragraphs=[
                DocumentParagraph(
                    int(each["start"]),
                    int(each["end"]),
                    read_item(each),
                    each.get("page"),
                    each.get("section"),
                    each.get("speaker"),
                    each.get("text"),
                    each.get("evidence_error"),
                )
                for each in answer["paragraphs"]
            ],
            summary=answer["summary"],
            text=answer["document"]["text"],
            model=dict(answer["model"]),
        )
    except UNREADABLE as error:
        raise make_invalid_answer() from error
