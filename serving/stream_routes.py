"""Owns POST /v1/classify/stream: rows of NDJSON in, answers of NDJSON out, in order, in constant memory."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serving.body_room import HELD_BODY
from serving.endings import LAST_WORDS
from serving.failures import find_status, is_name, note_failure, read_failure
from serving.keys import Keyring
from serving.limits import check_media_type
from serving.metrics import Metrics
from serving.models import Models
from serving.ndjson import RowReader, StreamRow
from serving.operations import get_models
from serving.patience import PatientClassifier
from serving.schemas import FailureResponse
from serving.service import Service
from twohands.errors import (
    BodyTimeoutError,
    EngineStoppedError,
    InputError,
    OverloadedError,
    ThresholdError,
    TwoHandsError,
)
from twohands.outputs import encode_line
from twohands.scores import with_thresholds

STREAM_PATH = "/v1/classify/stream"
MEDIA_TYPE = "application/x-ndjson"
# At the end of the service: how long the next piece is waited for where all rows that came are answered.
QUIET_S = 1.0
_STOPPED = "the service is stopping; send the rows that were not answered again elsewhere"

router = APIRouter()
_FAILURES: dict[int | str, dict[str, Any]] = {
    404: {"model": FailureResponse, "description": "No model of this name is served"},
    415: {"model": FailureResponse, "description": "The body is not declared as NDJSON"},
    422: {"model": FailureResponse, "description": "A parameter is wrong; the message names it"},
    429: {"model": FailureResponse, "description": "Too much work waits already; `retry-after` says when to try again"},
    503: {"model": FailureResponse, "description": "Not ready yet, or stopping"},
}


class NdjsonResponse(Response):
    """Sends lines as they come. Starlette's own streaming would read the connection, and so the body, beside us."""

    media_type = MEDIA_TYPE

    def __init__(self, pieces: AsyncIterator[bytes], headers: Mapping[str, str]) -> None:
        """Take what will be sent.

        Args:
            pieces: whole lines.
            headers: further ones.
        """
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        # Closed at once where a send is cancelled, not when its garbage is collected: what works for it is to end.
        async with aclosing(self._pieces) as pieces:  # type: ignore[type-var]  # an async generator
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def parse_thresholds(pairs: Sequence[str]) -> dict[str, object]:
    """Read LABEL=VALUE, each label once, as the command line has it.

    Args:
        pairs: as they came.

    Returns:
        Thresholds by label.

    Raises:
        ThresholdError: one is not of this form, or a label is given twice.
    """
    thresholds: dict[str, object] = {}
    for pair in pairs:
        label, _, number = pair.rpartition("=")
        try:
            value = float(number) if is_name(label) else None
        except ValueError:
            value = None
        if value is None:
            raise ThresholdError("threshold: expected LABEL=VALUE, for example regulation=0.6")
        if label in thresholds:  # only the last would count
            raise ThresholdError(f"threshold for '{label}' is given twice; give it once")
        thresholds[label] = value
    return thresholds


def tell_end(error: Exception) -> bytes:
    """The last line of a stream that ends before its body does: it belongs to no row."""
    _, code, message = read_failure(error)
    return encode_line({"id": None, "error": {"code": code, "message": message}})


class StreamClassifier:
    """One stream: reads rows, keeps a few groups of them in work, and gives their answers in order."""

    def __init__(
        self,
        service: Service,
        receive: Receive,
        *,
        thresholds: Mapping[str, object],
        explain: bool,
        ending: asyncio.Event,
        on_failure: Callable[[TwoHandsError], None],
        on_row_error: Callable[[TwoHandsError], None],
        hold: Callable[[int], None],
        check_caller: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Do nothing yet.

        Args:
            service: of the model.
            receive: of the request; nothing of its body was read.
            thresholds: overrides, as in `with_thresholds`.
            explain: also say which sentence carries each answer.
            ending: set once the service ends.
            on_failure: is told why the stream ended before its body did, and of the first fault of the service amid it.
            on_row_error: is told of each row's error, but not of a text's own, which the service counts.
            hold: is told how many bytes are held of a line that is to be read yet; refuses them by an error.
            check_caller: asked at each piece of the body; refuses by an error a caller who may not ask any more.
        """
        self._service = service
        self._receive = receive
        self._ending = ending
        self._on_failure = on_failure
        self._on_row_error = on_row_error
        self._has_failed = False
        self._hold = hold
        self._check_caller = check_caller
        self._patient = PatientClassifier(service, thresholds=thresholds, explain=explain)
        # Groups that were begun and whose answers are not yet sent, and when the last of them was.
        self._begun: deque[asyncio.Task[bytes]] = deque()
        self._sent_s = -math.inf
        self._end_seen_s = math.inf

    async def answers(self) -> AsyncIterator[bytes]:
        """Classify until the body ends.

        Yields:
            Lines, one for each row, in order; after a body that broke off, one with the error alone.

        Raises:
            OverloadedError: there is no room for the first rows; later ones wait for it. Or a long line had none, and
                none was answered.
            EngineStoppedError: the service stopped before the first rows were classified.
            Exception: a fault that is none of ours; amid the stream only after a line that tells of it.
        """
        # Bounded: what is not yet sent holds back what is read, through all buffers to the client.
        # One group is sent, one is ready to be, one is being read.
        groups: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(1)
        reading = asyncio.create_task(self._read(groups))
        try:
            while (task := await groups.get()) is not None:
                yield await task
                self._begun.popleft()
                self._sent_s = asyncio.get_running_loop().time()
            try:
                await reading
            except ClientDisconnect:
                return
            except TwoHandsError as error:  # the body is too slow, has no room, or the service ends
                if isinstance(error, EngineStoppedError | OverloadedError) and self._sent_s == -math.inf:
                    raise
                self._on_failure(error)
                yield tell_end(error)
        except Exception as error:  # that nobody foresaw: it is logged, and the connection broken off, further out
            if self._sent_s > -math.inf:  # else it is answered as that of any other request
                yield tell_end(error)
            raise
        finally:
            for unfinished in (reading, *self._begun):
                unfinished.cancel()
            await asyncio.gather(reading, *self._begun, return_exceptions=True)

    async def _read(self, groups: "asyncio.Queue[asyncio.Task[bytes] | None]") -> None:
        """Read rows and begin with them. Greedy: a group is what has come, up to its bounds; none waits to be full."""
        is_first = True
        try:
            async with aclosing(self._rows()) as pieces:
                async for piece in pieces:
                    for rows in self._patient.cut_groups(piece, lambda row: row.text):
                        task = asyncio.create_task(self._classify(rows, is_first=is_first))
                        self._begun.append(task)
                        is_first = False
                        await groups.put(task)
        except Exception:  # not when cancelled: then nobody takes from the queue any more
            await groups.put(None)
            raise
        await groups.put(None)

    async def _rows(self) -> AsyncGenerator[list[StreamRow]]:
        """Rows of the body, some at a time. The next one is read ahead: only who reads learns that the client left."""
        reader = RowReader(max_line_bytes=self._service.settings.max_body_bytes)
        message: Message = {"more_body": True}
        ahead = asyncio.create_task(self._receive_next())
        try:
            while message.get("more_body", False):
                message = await self._wait_for(ahead)
                if message.get("more_body", False):
                    ahead = asyncio.create_task(self._receive_next())
                for rows in reader.feed(message.get("body", b"")):
                    yield rows
                    await asyncio.sleep(0)  # lines that give no work would hold up everybody until the last (#5)
                self._hold(reader.n_held_bytes)
            yield reader.end()
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _wait_for(self, ahead: asyncio.Task[Message]) -> Message:
        """Wait for the next piece; at the end of the service only for a moment, where nobody is owed an answer."""
        if not ahead.done():
            ending = asyncio.create_task(self._ending.wait())
            try:
                await asyncio.wait({ahead, ending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending.cancel()
        while not ahead.done():
            await asyncio.wait({ahead}, timeout=QUIET_S)
            if not ahead.done() and not self._begun:
                raise EngineStoppedError(_STOPPED)
        if self._ending.is_set():
            # Rows that go on to come one by one would else hold the service up to its last moment.
            now_s = asyncio.get_running_loop().time()
            self._end_seen_s = min(self._end_seen_s, now_s)
            if not self._begun and now_s - self._end_seen_s >= QUIET_S:
                raise EngineStoppedError(_STOPPED)
        return await ahead

    async def _receive_next(self) -> Message:
        while True:
            try:
                message = await self._receive()
            except BodyTimeoutError:
                # A client may wait for the answers that it is owed before it sends more: that time is ours.
                since_s = asyncio.get_running_loop().time() - self._sent_s
                if self._begun or since_s < self._service.settings.body_timeout_s:
                    continue
                raise
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if self._check_caller is not None:  # a stream may last for days, and its key be revoked meanwhile (#5)
                await self._check_caller()
            return message

    async def _classify(self, rows: Sequence[StreamRow], *, is_first: bool) -> bytes:
        """Answer one group; faults of the model or the service stand in the place of each of its rows."""
        texts = [row.text for row in rows if not isinstance(row.text, InputError)]
        items: list[Any] = []
        if texts:
            try:
                items = await self._patient.classify(texts, is_first=is_first)
            except TwoHandsError as error:
                if is_first and isinstance(error, OverloadedError | EngineStoppedError):
                    raise
                if find_status(error) >= 500 and not self._has_failed:  # once: groups without end may fail alike
                    self._has_failed = True
                    self._on_failure(error)
                items = [error] * len(texts)
        found = iter(items)
        lines = []
        for row in rows:
            item = row.text if isinstance(row.text, InputError) else next(found)
            if isinstance(item, TwoHandsError):
                if item is row.text or not isinstance(item, InputError):
                    self._on_row_error(item)
                answer = {"error": {"code": item.code, "message": str(item)}}
            else:
                answer = item.to_dict()
            lines.append(encode_line({"id": row.id, **answer}))
        return b"".join(lines)


async def chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Put back a piece that was taken to see whether there is one."""
    async with aclosing(rest):  # type: ignore[type-var]  # an async generator
        yield first
        async for piece in rest:
            yield piece


@router.post(
    STREAM_PATH,
    responses={200: {"description": "One line for each row", "content": {MEDIA_TYPE: {}}}, **_FAILURES},
    tags=["classify"],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"type": "string", "description": 'lines such as {"id": "a", "text": "..."}, or "..."'}
                },
                # Tools that know no NDJSON can send, and test, the same lines as plain bytes.
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def classify_stream(
    request: Request,
    models: Annotated[Models, Depends(get_models)],
    model: Annotated[str | None, Query(description="which model; the default one if not given")] = None,
    explain: Annotated[bool, Query(description="also say which sentence carries each answer")] = False,
    threshold: Annotated[list[str], Query(description="LABEL=VALUE, as in the command line")] = [],  # noqa: B006
) -> Response:
    r"""Classify rows of any number: `{"id", "text"}` or a JSON string a line, an answer a line in the same order.

    Answers come while rows are still sent, so a client must read while it sends, as `curl -T` does. A row that cannot
    be classified answers with `{"id", "error": {"code", "message"}}`. A line is as long as the body of another request
    may be.
    """
    check_media_type(request.headers, is_stream=True)
    service = models.get(model)
    thresholds = parse_thresholds(threshold)
    classifier = service.classifier
    with_thresholds(classifier.taxonomy.heads, classifier.manifest.rules, thresholds)  # before anything is read

    metrics: Metrics = request.app.state.metrics
    keyring: Keyring | None = request.app.state.keyring
    key_id: str | None = request.scope["state"].get("key_id")
    stream = StreamClassifier(
        service,
        request.receive,
        thresholds=thresholds,
        explain=explain,
        ending=request.app.state.unfinished.ending,
        on_failure=partial(note_failure, request),
        on_row_error=lambda error: metrics.failed_inputs.labels(error.code).inc(),
        hold=request.scope["state"][HELD_BODY].hold,
        check_caller=partial(keyring.check_known, key_id) if keyring is not None and key_id is not None else None,
    )
    answers = stream.answers()
    first = await anext(answers, b"")  # a refusal is then still a refusal, with its own status
    request.scope["state"][LAST_WORDS] = tell_end(EngineStoppedError(_STOPPED))
    headers = {"x-model-sha256": classifier.sha256, "x-accel-buffering": "no"}
    return NdjsonResponse(chain(first, answers), headers)
