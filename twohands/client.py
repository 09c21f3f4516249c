"""Owns our own client of a running service, sync and async: the same typed predictions as `Classifier` gives.

    with Client("http://127.0.0.1:8000", api_key="...") as client:
        for item in client.classify(["The ministry will buy what the mills cannot sell."]):
            print(item.stance.label)

Long lists are sent in batches; 429, 503 and broken connections are tried again. Needs the extra `client` (httpx).
"""

import asyncio
import importlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from twohands.errors import InputError, MissingExtraError, ServiceError
from twohands.exchange import Retries, cut_batches, make_body, make_unreachable, read_failure, read_items
from twohands.prediction import Prediction

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8000"
Items = list[Prediction | InputError]


def _import_httpx() -> ModuleType:
    try:
        return importlib.import_module("httpx")
    except ImportError as error:
        raise MissingExtraError("the client needs httpx: pip install 'twohands[client]'") from error


def _make_options(url: str, *, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    headers = {"accept": "application/json"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
    # Redirects are not followed: the key would go with the request, wherever it leads.
    return {"base_url": url, "headers": headers, "timeout": timeout_s, "follow_redirects": False}


def _describe(httpx: ModuleType, error: Exception) -> ServiceError:
    passing = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
    return make_unreachable(error, is_passing=isinstance(error, passing))


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise TypeError("classify takes a list of texts; use classify_one for one")


def _read_one(items: Items) -> Prediction:
    (item,) = items
    if isinstance(item, InputError):
        raise item
    return item


_JSON = {"content-type": "application/json"}


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
            api_key: sent with each request.
            timeout_s: for each step of a request: connecting, sending, waiting for the answer.
            max_retries: how often a request is sent again.
            max_wait_s: longest wait before one is.
            batch_size: most texts of one request.
            transport: in place of the network.

        Raises:
            MissingExtraError: httpx is not installed.
        """
        self._httpx = _import_httpx()
        self._batch_size = batch_size
        self._begin = partial(Retries, max_retries=max_retries, max_wait_s=max_wait_s)
        self._client: httpx.Client = self._httpx.Client(
            transport=transport, **_make_options(url, api_key=api_key, timeout_s=timeout_s)
        )

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
        answer: dict[str, Any] = json.loads(self._send("GET", "/info"))
        return answer

    def classify(
        self, texts: Sequence[str], *, thresholds: Mapping[str, float] | None = None, explain: bool = False
    ) -> Items:
        """Classify paragraphs, as many as there are.

        Args:
            texts: one paragraph each.
            thresholds: label of an any-of head -> threshold, name of a one-of head -> abstention level.
            explain: ask for evidence.

        Returns:
            One prediction for each text in order, or in its place the error why it has none.

        Raises:
            TypeError: `texts` is one string.
            InputTypeError: a text is no string.
            ServiceError: the service refused a request, or gave no answer; its `code` says why.
        """
        _check_texts(texts)
        items: Items = []
        for batch in cut_batches(texts, max_texts=self._batch_size):
            content = self._send("POST", "/v1/classify", make_body(batch, thresholds=thresholds, explain=explain))
            items += read_items(content, n_texts=len(batch))
        return items

    def classify_one(
        self, text: str, *, thresholds: Mapping[str, float] | None = None, explain: bool = False
    ) -> Prediction:
        """Classify one paragraph; as `classify`, but raises the `InputError` why it cannot be."""
        return _read_one(self.classify([text], thresholds=thresholds, explain=explain))

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        retries = self._begin()
        while True:
            try:
                response = self._client.request(method, path, content=body, headers=_JSON if body else None)
            except self._httpx.TransportError as error:
                failure = _describe(self._httpx, error)
            else:
                if response.is_success:
                    return response.content
                failure = read_failure(response.status_code, response.headers, response.content)
            time.sleep(retries.next_wait_s(failure))


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
            api_key: sent with each request.
            timeout_s: for each step of a request: connecting, sending, waiting for the answer.
            max_retries: how often a request is sent again.
            max_wait_s: longest wait before one is.
            batch_size: most texts of one request.
            max_concurrency: most requests at once of one call.
            transport: in place of the network.

        Raises:
            MissingExtraError: httpx is not installed.
        """
        self._httpx = _import_httpx()
        self._batch_size = batch_size
        self._max_concurrency = max_concurrency
        self._begin = partial(Retries, max_retries=max_retries, max_wait_s=max_wait_s)
        self._client: httpx.AsyncClient = self._httpx.AsyncClient(
            transport=transport, **_make_options(url, api_key=api_key, timeout_s=timeout_s)
        )

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
        answer: dict[str, Any] = json.loads(await self._send("GET", "/info"))
        return answer

    async def classify(
        self, texts: Sequence[str], *, thresholds: Mapping[str, float] | None = None, explain: bool = False
    ) -> Items:
        """Classify paragraphs, as many as there are; see `Client.classify`.

        Args:
            texts: one paragraph each.
            thresholds: label of an any-of head -> threshold, name of a one-of head -> abstention level.
            explain: ask for evidence.

        Returns:
            One prediction for each text in order, or in its place the error why it has none.

        Raises:
            TypeError: `texts` is one string.
            InputTypeError: a text is no string.
            ServiceError: the service refused a request, or gave no answer; what was still on its way is given up.
        """
        _check_texts(texts)
        room = asyncio.Semaphore(self._max_concurrency)

        async def classify_batch(batch: list[str]) -> Items:
            async with room:
                content = await self._send(
                    "POST", "/v1/classify", make_body(batch, thresholds=thresholds, explain=explain)
                )
            return read_items(content, n_texts=len(batch))

        batches = list(cut_batches(texts, max_texts=self._batch_size))
        tasks = [asyncio.create_task(classify_batch(batch)) for batch in batches]
        try:
            return [item for items in await asyncio.gather(*tasks) for item in items]
        finally:
            for task in tasks:
                task.cancel()

    async def classify_one(
        self, text: str, *, thresholds: Mapping[str, float] | None = None, explain: bool = False
    ) -> Prediction:
        """Classify one paragraph; as `classify`, but raises the `InputError` why it cannot be."""
        return _read_one(await self.classify([text], thresholds=thresholds, explain=explain))

    async def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        retries = self._begin()
        while True:
            try:
                response = await self._client.request(method, path, content=body, headers=_JSON if body else None)
            except self._httpx.TransportError as error:
                failure = _describe(self._httpx, error)
            else:
                if response.is_success:
                    return response.content
                failure = read_failure(response.status_code, response.headers, response.content)
            await asyncio.sleep(retries.next_wait_s(failure))
