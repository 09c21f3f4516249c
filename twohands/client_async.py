"""Owns the async client; `twohands.client` has it beside the sync one, and says what both are for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twohands.errors import InputTypeError, ServiceError
from twohands.exchange import BatchSize, Call, Retries, cut_batches, make_classify_call, put_back, read_items
from twohands.exchange_long import (
    Document,
    Item,
    Part,
    PartCutter,
    PartInWork,
    Row,
    RowId,
    cut_rows,
    give,
    make_document_call,
    make_stream_call,
    read_document,
)
from twohands.misuse import ClosedError, check_texts, check_whole
from twohands.prediction import Prediction
from twohands.transport import (
    DEFAULT_URL,
    INFO,
    MOST_CONNECTIONS,
    Items,
    describe_failure,
    import_httpx,
    make_options,
    read_answer,
    read_info,
    read_one,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


async def _cut_rows_async(rows: "Iterable[Row] | AsyncIterable[Row]") -> AsyncIterator[Part]:
    if not isinstance(rows, AsyncIterable):
        for part in cut_rows(rows):
            yield part
        return
    cutter = PartCutter()
    async for row in rows:
        if full := cutter.add(row):
            yield full
    if last := cutter.end():
        yield last


class AsyncClient:
    """A service, called from an event loop; several batches are on their way at once."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        max_retries: int = 5,
        max_wait_s: float = 60.0,
        batch_size: int = 32,
        max_concurrency: int = 4,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        """Open no connection yet.

        Args:
            url: of the service.
            api_key: sent with each request, without white space around it.
            timeout_s: for each step of a request: connecting, sending, waiting for the next piece of the answer. One
                that comes in many pieces may take longer in all.
            max_retries: how often a request is sent again. From 1 on, a batch that takes the service too long is halved
                in place of that, until it is one text.
            max_wait_s: longest wait before one is.
            batch_size: most texts of one request.
            max_concurrency: most requests at once of one call.
            transport: in place of the network.

        Raises:
            MissingExtraError: httpx is not installed.
            ArgumentError: the url is none, the key fits in no header, or a number is none that can be worked with.
        """
        self._httpx = import_httpx()
        options = make_options(self._httpx, url, api_key=api_key, timeout_s=timeout_s, max_wait_s=max_wait_s)
        check_whole("max_retries", max_retries, least=0)
        check_whole("batch_size", batch_size, least=1)
        check_whole("max_concurrency", max_concurrency, least=1)
        self._batch_size = batch_size
        self._max_concurrency = max_concurrency
        self._begin = partial(Retries, max_retries=max_retries, max_wait_s=max_wait_s)
        self._client: httpx.AsyncClient = self._httpx.AsyncClient(transport=transport, **options)
        # Calls wait here, and not in httpx, which loses the connection of one that is cancelled as its turn comes: once
        # all are lost, every call would wait for ever (#4).
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def info(self) -> dict[str, Any]:
        """What is served: the answer of GET /info."""
        return await self._ask(lambda: INFO, read_info)

    async def classify(
        self,
        texts: Sequence[str],
        *,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Items:
        """Classify paragraphs, as many as there are; see `Client.classify`.

        Args:
            texts: one paragraph each.
            thresholds: label of an any-of head -> threshold, name of a one-of head -> abstention level.
            explain: ask for evidence.
            model: which of those that are served; None is the default one.

        Returns:
            One prediction for each text in order, or in its place the error why it has none.

        Raises:
            ArgumentError: `texts` is one string, a mapping, a table, or nothing to go through.
            ClosedError: the client was closed.
            ThresholdError: a threshold is no number from 0 to 1.
            ServiceError: the service refused a request, or gave no answer; what was still on its way is given up.
        """
        check_texts(texts)
        room = asyncio.Semaphore(self._max_concurrency)

        make = partial(make_classify_call, thresholds=thresholds, explain=explain, model=model)
        size = BatchSize(self._batch_size, self._begin)

        async def classify_batch(batch: list[str]) -> Items:
            async with room:
                return await self._classify_batch(batch, make, size)

        faults: dict[int, InputTypeError] = {}
        batches = list(cut_batches(texts, max_texts=self._batch_size, faults=faults))
        tasks = [asyncio.create_task(classify_batch(batch)) for batch in batches]
        try:
            return put_back([item for items in await asyncio.gather(*tasks) for item in items], faults)
        finally:
            for task in tasks:
                task.cancel()

    async def classify_one(
        self,
        text: str,
        *,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Prediction:
        """Classify one paragraph; as `classify`, but raises the `InputError` why it cannot be."""
        return read_one(await self.classify([text], thresholds=thresholds, explain=explain, model=model))

    async def stream(
        self,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> AsyncIterator[tuple[RowId, Item]]:
        """Classify rows without end; as `Client.stream`, with several parts on their way at once.

        Args:
            rows: texts or pairs of a name and a text, of an ordinary or an async iterator.
            thresholds: as in `classify`.
            explain: ask for evidence.
            model: which of those that are served; None is the default one.

        Yields:
            Name and answer of each row, in order.

        Raises:
            ArgumentError: `rows` is one string, a mapping, a table, or nothing to go through.
            ClosedError: the client was closed.
            InputTypeError: a row's name is no string or whole number, or has half a surrogate pair.
            ThresholdError: a threshold is no number from 0 to 1.
            ServiceError: the service refused the next row, or gave it no answer; what was yielded before holds.
        """
        check_texts(rows, is_async=True)
        make = partial(make_stream_call, thresholds=thresholds, explain=explain, model=model)
        begun: deque[asyncio.Task[tuple[list[tuple[RowId, Item]], ServiceError | None]]] = deque()
        try:
            async for part in _cut_rows_async(rows):
                begun.append(asyncio.create_task(self._ask_part(PartInWork(part, make))))
                if len(begun) == self._max_concurrency:
                    for answer in give(*await begun.popleft()):
                        yield answer
            while begun:
                for answer in give(*await begun.popleft()):
                    yield answer
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    async def classify_document(
        self,
        content: str | bytes,
        *,
        media_type: str | None = None,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Document:
        """Classify a document paragraph by paragraph; see `Client.classify_document`."""
        call = make_document_call(content, media_type=media_type, thresholds=thresholds, explain=explain, model=model)
        return await self._ask(lambda: call, read_document)

    async def _classify_batch(self, batch: list[str], make: Callable[[list[str]], Call], size: BatchSize) -> Items:
        items: Items = []
        while part := batch[len(items) :][: size.most]:
            read = partial(read_items, n_texts=len(part))
            try:
                items += await self._ask(partial(make, part), read, is_halved=len(part) > 1)
            except ServiceError as failure:
                await asyncio.sleep(size.halve(len(part), failure))
        return items

    async def _ask_part(self, work: PartInWork) -> tuple[list[tuple[RowId, Item]], ServiceError | None]:
        try:
            return await self._ask(work.make_call, work.read), None
        except ServiceError as failure:
            return work.list_answered(), failure

    async def _ask(self, make: Callable[[], Call], read: Callable[[bytes], T], *, is_halved: bool = False) -> T:
        retries = self._begin(is_halved=is_halved)
        while True:
            try:
                return read_answer(await self._send(make()), read)
            except self._httpx.RequestError as error:
                failure = describe_failure(self._httpx, error)
            except ServiceError as error:
                failure = error
            await asyncio.sleep(retries.next_wait_s(failure))

    async def _send(self, call: Call) -> "httpx.Response":
        async with self._room:
            if self._client.is_closed:
                raise ClosedError("the client was closed; make another one")
            return await self._client.request(
                call.method, call.path, content=call.body, headers=call.headers, params=call.query or None
            )
