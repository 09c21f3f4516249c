"""Owns our own client of a running service, sync and async: the same typed predictions as `Classifier` gives.

    with Client("http://127.0.0.1:8000", api_key="...") as client:
        for item in client.classify(["The ministry will buy what the mills cannot sell."]):
            print(item.stance.label)

Long lists are sent in batches, and rows without end in parts; 429, 502, 503 and broken connections are tried again.
What is sent and how an answer is read stands once, in `exchange.py` and `exchange_long.py`. Needs the extra `client`
(httpx).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twohands.client_async import AsyncClient
from twohands.errors import InputTypeError, ServiceError
from twohands.exchange import BatchSize, Call, Retries, cut_batches, make_classify_call, put_back, read_items
from twohands.exchange_long import (
    Document,
    Item,
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

__all__ = ["AsyncClient", "Client"]
T = TypeVar("T")


class Client:
    """A service, called from ordinary code. One client may be used from several threads."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        max_retries: int = 5,
        max_wait_s: float = 60.0,
        batch_size: int = 32,
        transport: "httpx.BaseTransport | None" = None,
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
            transport: in place of the network.

        Raises:
            MissingExtraError: httpx is not installed.
            ArgumentError: the url is none, the key fits in no header, or a number is none that can be worked with.
        """
        self._httpx = import_httpx()
        options = make_options(self._httpx, url, api_key=api_key, timeout_s=timeout_s, max_wait_s=max_wait_s)
        check_whole("max_retries", max_retries, least=0)
        check_whole("batch_size", batch_size, least=1)
        self._batch_size = batch_size
        self._begin = partial(Retries, max_retries=max_retries, max_wait_s=max_wait_s)
        self._client: httpx.Client = self._httpx.Client(transport=transport, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def info(self) -> dict[str, Any]:
        """What is served: the answer of GET /info."""
        return self._ask(lambda: INFO, read_info)

    def classify(
        self,
        texts: Sequence[str],
        *,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Items:
        """Classify paragraphs, as many as there are.

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
            ServiceError: the service refused a request, or gave no answer; its `code` says why.
        """
        check_texts(texts)
        make = partial(make_classify_call, thresholds=thresholds, explain=explain, model=model)
        size = BatchSize(self._batch_size, self._begin)
        faults: dict[int, InputTypeError] = {}
        batches = cut_batches(texts, max_texts=self._batch_size, faults=faults)
        return put_back([item for batch in batches for item in self._classify_batch(batch, make, size)], faults)

    def classify_one(
        self,
        text: str,
        *,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Prediction:
        """Classify one paragraph; as `classify`, but raises the `InputError` why it cannot be."""
        return read_one(self.classify([text], thresholds=thresholds, explain=explain, model=model))

    def stream(
        self,
        rows: Iterable[Row],
        *,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Iterator[tuple[RowId, Item]]:
        """Classify rows without end, in constant memory: some hundred of them are read ahead of their answers.

        Args:
            rows: texts, named by their place from 0, or pairs of a name and a text.
            thresholds: as in `classify`.
            explain: ask for evidence.
            model: which of those that are served; None is the default one.

        Yields:
            Name and answer of each row, in order: a prediction, or the error why it has none.

        Raises:
            ArgumentError: `rows` is one string, a mapping, a table, or nothing to go through.
            ClosedError: the client was closed.
            InputTypeError: a row's name is no string or whole number, or has half a surrogate pair.
            ThresholdError: a threshold is no number from 0 to 1.
            ServiceError: the service refused the next row, or gave it no answer; what was yielded before holds.
        """
        check_texts(rows)
        make = partial(make_stream_call, thresholds=thresholds, explain=explain, model=model)
        for part in cut_rows(rows):
            yield from give(*self._ask_part(PartInWork(part, make)))

    def classify_document(
        self,
        content: str | bytes,
        *,
        media_type: str | None = None,
        thresholds: Mapping[str, float] | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Document:
        """Classify a document paragraph by paragraph, with a summary of the whole.

        Args:
            content: text, or the bytes of a file.
            media_type: of the bytes: text/plain, text/markdown, text/html, message/rfc822, application/pdf or that of
                .docx.
            thresholds: as in `classify`.
            explain: ask for evidence.
            model: which of those that are served; None is the default one.

        Returns:
            The document.

        Raises:
            InputTypeError: bytes without a media type.
            ThresholdError: a threshold is no number from 0 to 1.
            ServiceError: it cannot be read, or the service refused it.
        """
        call = make_document_call(content, media_type=media_type, thresholds=thresholds, explain=explain, model=model)
        return self._ask(lambda: call, read_document)

    def _classify_batch(self, batch: list[str], make: Callable[[list[str]], Call], size: BatchSize) -> Items:
        items: Items = []
        while part := batch[len(items) :][: size.most]:
            read = partial(read_items, n_texts=len(part))
            try:
                items += self._ask(partial(make, part), read, is_halved=len(part) > 1)
            except ServiceError as failure:
                time.sleep(size.halve(len(part), failure))
        return items

    def _ask_part(self, work: PartInWork) -> tuple[list[tuple[RowId, Item]], ServiceError | None]:
        try:
            return self._ask(work.make_call, work.read), None
        except ServiceError as failure:
            return work.list_answered(), failure

    def _ask(self, make: Callable[[], Call], read: Callable[[bytes], T], *, is_halved: bool = False) -> T:
        retries = self._begin(is_halved=is_halved)
        while True:
            if self._client.is_closed:
                raise ClosedError("the client was closed; make another one")
            call = make()
            try:
                response = self._client.request(
                    call.method, call.path, content=call.body, headers=call.headers, params=call.query or None
                )
                return read_answer(response, read)
            except self._httpx.RequestError as error:
                failure = describe_failure(self._httpx, error)
            except ServiceError as error:
                failure = error
            time.sleep(retries.next_wait_s(failure))
